"""What a model computes: calls of layers between its inputs and its outputs, in order, and their names."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from numbatch.models.inputs import InputLayer
from numbatch.models.layer import Call, Layer, Symbol
from numbatch.models.structure import Structure
from numbatch.wire.errors import error
from numbatch.wire.graph import GraphWriter
from numbatch.wire.graph import Symbol as Written
from numbatch.wire.names import is_layer_name
from numbatch.wire.reasons import Reason


class Network(NamedTuple):
    """Calls of layers between symbols.

    Attributes
    ----------
    inputs, outputs : tuple of Symbol
        What comes in and goes out.
    takes, gives : Structure
        How they come.
    calls : tuple of Call
        In the order in which they were made; without those of the inputs.
    layers : tuple of Layer
        Each once, in the order of Keras' models, which is that of `get_weights`.
    names : dict of Call to str
        The inputs' too.
    """

    inputs: tuple[Symbol, ...]
    outputs: tuple[Symbol, ...]
    takes: Structure
    gives: Structure
    calls: tuple[Call, ...]
    layers: tuple[Layer, ...]
    names: dict[Call, str]

    def write(self, graph: GraphWriter, inputs: Sequence[Written], prefix: str = "") -> list[Written]:
        """Write the layers into a message, their names behind a prefix, and return the outputs."""
        written = dict(zip(self.inputs, inputs, strict=True))
        for call in self.calls:
            outputs = call.layer.write(graph, [written[each] for each in call.inputs], prefix + self.names[call])
            written.update(zip(call.outputs, outputs, strict=True))
        return [written[each] for each in self.outputs]


def network_of(
    inputs: Sequence[Symbol], outputs: Sequence[Symbol], takes: Structure, gives: Structure, model: str
) -> Network:
    """Return the network between symbols, its layers named.

    Parameters
    ----------
    inputs, outputs : sequence of Symbol
        What comes in, all from `Input`, and what goes out.
    takes, gives : Structure
        How they come. Their keys name the inputs, and the layers whose names are not given.
    model : str
        The model's name, for errors.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if the outputs depend on an input that is not among these, or a name is given twice.
    """
    for i, each in enumerate(inputs):
        if not isinstance(each.call.layer, InputLayer):
            raise error(
                Reason.INVALID_FIELD, field=f"{model}.inputs[{i}]", got=each, expected="what Input(...) returns"
            )
        if each in inputs[:i]:
            raise error(Reason.INVALID_FIELD, "twice", field=f"{model}.inputs[{i}]", got=each)
    calls, met = _walk(outputs)
    for call in calls:
        if isinstance(call.layer, InputLayer) and call.outputs[0] not in inputs:
            expected = ", ".join(repr(each) for each in inputs)
            problem = "its outputs depend on an input that is not among its own"
            raise error(Reason.INVALID_FIELD, problem, field=f"{model}.inputs", got=call.outputs[0], expected=expected)
    between = [call for call in calls if not isinstance(call.layer, InputLayer)]
    between.sort(key=lambda call: call.number)
    layers = [layer for layer in _in_order_of_keras(calls, met) if not isinstance(layer, InputLayer)]
    names = _Names(model)
    names.name_inputs(inputs, takes.keys)
    names.name_calls(between, layers, zip(outputs, gives.keys, strict=True))
    return Network(tuple(inputs), tuple(outputs), takes, gives, tuple(between), tuple(layers), names.of)


def _walk(outputs: Sequence[Symbol]) -> tuple[list[Call], dict[Layer, int]]:
    """Return the calls behind some outputs, each after those it depends on; and when each layer was met first."""
    calls: list[Call] = []
    met: dict[Layer, int] = {}
    seen: set[Call] = set()
    ahead = [(each.call, False) for each in reversed(outputs)]
    while ahead:
        call, is_left = ahead.pop()
        if is_left:
            calls.append(call)
        elif call not in seen:
            seen.add(call)
            met.setdefault(call.layer, len(met))
            ahead.append((call, True))
            ahead += [(each.call, False) for each in reversed(call.inputs)]
    return calls, met


def _in_order_of_keras(calls: Sequence[Call], met: dict[Layer, int]) -> list[Layer]:
    """Return layers from the deepest to those of outputs; of the same depth, as they are met from the outputs on.

    The depth of a layer is the largest number of calls between it and an output.
    """
    depths: dict[Call, int] = {}
    of_layers: dict[Layer, int] = {}
    for call in reversed(calls):
        depth = max(depths.get(call, 0), of_layers.get(call.layer, 0))
        of_layers[call.layer] = depth
        for each in call.inputs:
            depths[each.call] = max(depth + 1, depths.get(each.call, 0))
    return sorted(of_layers, key=lambda layer: (-of_layers[layer], met[layer]))


class _Names:
    """Gives names, none of them twice: first those that users chose, then what is left."""

    def __init__(self, model: str) -> None:
        self.of: dict[Call, str] = {}
        self._model = model
        self._taken: set[str] = set()

    def name_inputs(self, inputs: Sequence[Symbol], keys: Sequence[str]) -> None:
        for symbol, key in zip(inputs, keys, strict=True):
            if key or symbol.call.layer.is_named:
                self._take(symbol.call, key or symbol.name)
        for symbol in inputs:
            if symbol.call not in self.of:
                self._number(symbol.call, symbol.name)

    def name_calls(self, calls: Sequence[Call], layers: Sequence[Layer], outputs: Iterable[tuple[Symbol, str]]) -> None:
        first = {call.layer: call for call in reversed(calls)}
        for layer in layers:
            if layer.is_named:
                self._take(first[layer], layer.name)
        for symbol, key in outputs:
            call = symbol.call
            if not key or self.of.get(call) == key:
                continue
            if call in self.of or len(call.outputs) > 1:
                self._reserve(key)  # for the linear layer that a message has for it
            else:
                self._take(call, key)
        for call in calls:
            if call not in self.of:
                self._number(call, call.layer.name)
            call.layer.adopt(self.of[call])

    def _take(self, call: Call, name: str) -> None:
        self._reserve(name)
        self.of[call] = name

    def _reserve(self, name: str) -> None:
        if not is_layer_name(name):
            expected = "letters, digits and . _ - / :, at most 128, a letter or digit first"
            raise error(Reason.INVALID_FIELD, field=f"{self._model}: name", got=repr(name), expected=expected)
        if name in self._taken:
            expected = "a name of its own for each input, layer and output"
            raise error(Reason.INVALID_FIELD, "twice", field=f"{self._model}: name", got=repr(name), expected=expected)
        self._taken.add(name)

    def _number(self, call: Call, base: str) -> None:
        name, number = base, 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._take(call, name)

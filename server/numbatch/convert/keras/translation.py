"""From a network of Keras to a model of numbatch: each call in turn, nested models flattened as "outer/inner"."""

from collections.abc import Iterator, Mapping
from typing import Any

from numbatch.convert.keras import elementwise, layers, lookups, shapes
from numbatch.convert.keras.activations import Activations
from numbatch.convert.keras.network import Call, Network, Operation, Ref, corrupt, flattened, refs
from numbatch.convert.keras.precision import note_precision
from numbatch.convert.keras.refusals import refuse
from numbatch.convert.keras.values import Input, Mask, Part, Rows, Use, Value, Whole
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.graph import GraphWriter, Symbol
from numbatch.wire.reasons import Reason

_HANDLERS = {**layers.HANDLERS, **elementwise.HANDLERS, **shapes.HANDLERS, **lookups.HANDLERS}
_TENSORS = (Symbol, Input, Part, Whole, Rows, Mask)


class Translation:
    """Writes the model of a network.

    Parameters
    ----------
    network : Network
        With the variables of its layers.
    keras_version : str
        Of the Keras that wrote it, whose activations are meant.
    name : str
        The model's.

    Attributes
    ----------
    graph : GraphWriter
        What is written to.
    activations : Activations
        Of that version.
    notes : list of str
        What a user should know.
    """

    def __init__(self, network: Network, keras_version: str, name: str) -> None:
        metadata = {"converted_from": f"Keras {keras_version}".strip()}
        self.graph = GraphWriter(name, metadata=metadata)
        self.activations = Activations(keras_version)
        self.notes: list[str] = []
        self._network = network
        self._left_out: list[str] = []
        self._repeated: list[str] = []
        self._inputs: list[Input] = []

    def run(self) -> Model:
        """Return the model.

        Raises
        ------
        NumbatchError
            LAYER_UNSUPPORTED, ACTIVATION_UNSUPPORTED, FEATURE_UNSUPPORTED or another, with the layer's name.
        """
        values: dict[Ref, Any] = {}
        for ref in refs(self._network.inputs):
            values[ref] = _input_of(self._network.operations[ref.operation])
            self._inputs.append(values[ref])
        outputs = self._evaluate(self._network, values, "")
        symbols = [self._output(value, outputs[:i]) for i, value in enumerate(outputs)]
        for each in self._inputs:
            if each.symbol is None:
                self._typed(each, integer=False)
        model = self.graph.model(symbols)
        order = [each.symbol.name for each in self._inputs if each.symbol is not None]
        by_name = {spec.name: spec for spec in model.inputs}
        ordered = [by_name[name] for name in order]
        del model.inputs[:]
        model.inputs.extend(ordered)
        outputs_by_key = self._network.outputs
        if isinstance(outputs_by_key, Mapping):
            pairs = zip(sorted(outputs_by_key), model.outputs, strict=False)
            self.notes += [f"the output {key!r} is called {name}" for key, name in pairs if key != name]
        if self._repeated:
            self.notes.append(f"layers that are used again have their weights again: {', '.join(self._repeated)}")
        if self._left_out:
            self.notes.append(f"left out, for they change nothing in inference: {', '.join(self._left_out)}")
        return model

    def floats(self, value: Any, use: Use) -> Symbol:
        """Return a value as an array of float32.

        Raises
        ------
        UnsupportedError
            If it can be none.
        """
        if isinstance(value, Symbol):
            return value
        if isinstance(value, Input):
            return self._typed(value, integer=False, field=use.name)
        if isinstance(value, Part):
            if value.alone:
                expected = "a part with an axis of its own: x[:, 3:4]"
                raise use.operation.refusal("it takes one element of an input", expected=expected)
            return self.graph.slice(self.floats(value.of, use), value.start, value.stop, name=f"{use.name}/part")
        if isinstance(value, Rows):
            if value.symbol is None:
                value.symbol = self.embedding(value, use, name=value.name)
            return value.symbol
        if isinstance(value, Mask):
            raise use.operation.refusal("it computes with a mask", hint="only GlobalAveragePooling1D takes one")
        if isinstance(value, Whole):
            raise use.operation.refusal("it computes with integers", hint="only Embedding takes integers")
        raise use.operation.refusal(f"it takes {type(value).__name__}", expected="an array")

    def embedding(self, rows: Rows, use: Use, *, name: str, pooling: str = "", padding_id: int | None = None) -> Symbol:
        """Add a lookup of rows, and what is made of them."""
        ids = rows.ids
        whole, start, stop = (ids.of, ids.start, ids.stop) if isinstance(ids, Part) else (ids, 0, 0)
        symbol = self._typed(whole, integer=True, field=use.name)
        drops = isinstance(ids, Part) and ids.alone and not pooling
        looked_up = self.graph.embedding(
            symbol,
            rows.table,
            pooling=pooling,
            padding_id=padding_id,
            start=start,
            stop=stop,
            name=f"{name}/row" if drops else name,
        )
        return self.graph.reshape(looked_up, rows.shape, name=name) if drops else looked_up

    def leave_out(self, use: Use) -> Any:
        """Return what a layer is given, for its output."""
        self._left_out.append(use.name)
        return use.value

    def _typed(self, value: Input, *, integer: bool, field: str = "") -> Symbol:
        if value.symbol is None:
            value.symbol = self.graph.input(value.name, value.shape, integer=integer)
        if value.symbol.integer != integer:
            raise error(
                Reason.FEATURE_UNSUPPORTED,
                f"the input {value.name} is taken both as numbers and as row numbers of a table",
                field=field,
                hint="give the model two inputs",
            )
        return value.symbol

    def _output(self, value: Any, before: list[Any]) -> Symbol:
        field = Operation(self._network.name, self._network.kind)
        symbol = self.floats(value, Use(field, self._network.name, (value,), {}, self))
        if any(value is each for each in before):
            return self.graph.activation(symbol, "linear", name=f"{symbol.name}/again")
        return symbol

    def _evaluate(self, network: Network, values: dict[Ref, Any], prefix: str) -> list[Any]:
        for key, number, call in _in_order(network, values):
            operation = network.operations[key]
            name = f"{prefix}{operation.name or operation.kind}" + (f":{number + 1}" if number else "")
            args, kwargs = _resolved(call.args, values), _resolved(call.kwargs, values)
            use = Use(operation, name, args, kwargs, self)
            if number and (operation.variables or call.network is not None):
                self._repeated.append(name)
            try:
                results = [self._layer(use)] if call.network is None else self._nested(use, call.network)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as broken:
                problem = "its description makes no sense"
                raise corrupt(problem, field=name, got=f"{operation.kind}: {broken!r}") from broken
            values.update({Ref(key, number, i): result for i, result in enumerate(results)})
        return [_found(ref, values, network) for ref in refs(network.outputs)]

    def _nested(self, use: Use, network: Network) -> list[Any]:
        kwargs = {key: value for key, value in use.kwargs.items() if key != "mask"}
        given = [leaf for leaf in flattened([use.args, kwargs]) if isinstance(leaf, _TENSORS)]
        taken = list(refs(network.inputs))
        if len(given) != len(taken):
            raise use.operation.refusal(f"called with {len(given)} tensors, and takes {len(taken)}")
        return self._evaluate(network, dict(zip(taken, given, strict=True)), f"{use.name}/")

    def _layer(self, use: Use) -> Value:
        operation = use.operation
        note_precision(operation, self.notes)
        rank = len(getattr(use.value, "shape", ())) + 1 if use.operands else 0
        if use.kwargs.get("mask") is not None and operation.kind == "Softmax":
            raise operation.refusal("with a mask", hint="a softmax is served without")
        function = self.activations.of_operation(operation, rank, use.kwargs)
        if function is not None:
            return elementwise.activate(use, use.x, function)
        handler = _HANDLERS.get(operation.kind)
        if handler is None:
            raise refuse(operation)
        result: Value = handler(use)
        return result


def _in_order(network: Network, values: Mapping[Ref, Any]) -> Iterator[tuple[str, int, Call]]:
    """Yield the calls so that each comes after those whose outputs it takes; else in the network's order."""
    waiting = [
        (key, number, call)
        for key, operation in network.operations.items()
        for number, call in enumerate(operation.calls)
        if Ref(key, number) not in values
    ]
    while waiting:
        left = []
        for key, number, call in waiting:
            if all(ref in values for ref in refs([call.args, dict(call.kwargs)])):
                yield key, number, call
            else:
                left.append((key, number, call))
        if len(left) == len(waiting):
            names = ", ".join(dict.fromkeys(key for key, _, _ in left))
            raise corrupt("layers that take each other, or what is not there", field=network.name, got=names)
        waiting = left


def _found(ref: Ref, values: Mapping[Ref, Any], network: Network) -> Any:
    if ref not in values:
        raise corrupt("an output that nothing gives", field=network.name, got=ref.operation)
    return values[ref]


def _resolved(structure: Any, values: Mapping[Ref, Any]) -> Any:
    if isinstance(structure, Ref):
        return values[structure]
    if isinstance(structure, Mapping):
        return {key: _resolved(each, values) for key, each in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_resolved(each, values) for each in structure)
    return structure


def _input_of(operation: Operation) -> Input:
    config = operation.config
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if shape is None:
        raise error(
            Reason.MODEL_INVALID,
            "the model was never built, so the shape of its input is not known",
            field=operation.name,
            hint="call it once with an array, or begin it with keras.Input(shape), and save it again",
        )
    axes = tuple(shape)[1:] if isinstance(shape, list | tuple) else ()
    if not axes or any(not isinstance(axis, int) for axis in axes):
        raise error(
            Reason.FEATURE_UNSUPPORTED,
            "an input of no axes but the batch, or of a length that varies",
            field=operation.name,
            got=shape,
            expected="one axis or more, with its length",
            hint="give keras.Input the shape of one example: shape=(10,)",
        )
    return Input(operation.name, axes)

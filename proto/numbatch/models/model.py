"""Models: of symbols, or of a class whose `call` says how its layers are put together.

>>> from numbatch.models import Dense, Input
>>> x = Input((10,), name="features")
>>> hidden = Dense(16, "relu", name="hidden")(x)
>>> model = Model(x, Dense(1)(hidden) * 2.0, name="scores", seed=1)
>>> model
<Model scores: 3 layers, 193 parameters>
>>> [layer.name for layer in model.to_message().layers]
['hidden', 'dense', 'rescaling']
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.models.files import version_folder, write_model
from numbatch.models.inputs import Input
from numbatch.models.layer import Call, Layer, Symbol
from numbatch.models.network import Network, network_of
from numbatch.models.structure import Structure, structure_of, symbols_of
from numbatch.models.summary import summary_lines
from numbatch.models.variables import Variable
from numbatch.v1.model_pb2 import Model as ModelMessage
from numbatch.wire.errors import error
from numbatch.wire.graph import GraphWriter
from numbatch.wire.graph import Symbol as Written
from numbatch.wire.layers import ArrayType
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason


class Model(Layer):
    """Layers put together; itself a layer, that can be called on symbols within another model.

    `Model(inputs, outputs)` is what lies between symbols. A subclass makes layers in its `__init__` and calls them in
    `call`; it is built when it is first called on symbols, or by `build`.

    Parameters
    ----------
    inputs : Symbol, sequence or mapping of str to Symbol, optional
        What `Input` returned. The keys of a mapping name the inputs.
    outputs : Symbol, sequence or mapping of str to Symbol, optional
        What layers returned. The keys of a mapping name the outputs: it is the name of the layer, or, where that has a
        name of its own, of a linear layer after it.
    name : str
        Under which it is served. Default: its class in snake case.
    seed : int, optional
        The weights that nobody has set or looked at before are drawn from it, one after the other, when the model is
        built. Default: others each time.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if the outputs depend on other inputs, or a name is given twice.
    """

    _connected: Network | None = None
    _rng: np.random.Generator | None = None

    def __init__(self, inputs: Any = None, outputs: Any = None, *, name: str = "", seed: int | None = None) -> None:
        super().__init__(name=name)
        self._rng = None if seed is None else np.random.default_rng(seed)
        if (inputs is None) != (outputs is None):
            raise self._wrong("inputs", got="one of inputs and outputs", expected="both, or neither and call()")
        if inputs is not None:
            self._connect(inputs, outputs)

    def call(self, inputs: Any) -> Any:
        """Return the symbols of its outputs; written by subclasses.

        Parameters
        ----------
        inputs : Symbol, list or dict of str to Symbol
            As the model is called or built.
        """
        expected = "Model(inputs, outputs), or a class with call(self, inputs)"
        raise self._wrong("call", got="none", expected=expected)

    def __call__(self, inputs: Any) -> Any:
        """Return the symbols of its outputs, one, a list or a dict, as the model was made.

        Parameters
        ----------
        inputs : Symbol, sequence or mapping of str to Symbol
            What it takes. A model that has not been built is built for these shapes.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if they are no symbols, or not as many.
        InvalidModelError
            MODEL_INVALID, if they have other shapes or types.
        """
        structure, symbols = symbols_of(inputs, f"{self.name}.inputs")
        if not self.built:
            self._build_on([each.type for each in symbols], structure)
        network = self._network
        symbols = network.takes.unpack(inputs, self.name)
        for i, (symbol, own) in enumerate(zip(symbols, network.inputs, strict=True)):
            if symbol.type != own.type:
                got, expected = f"{symbol.shape} {symbol.dtype}", f"{own.shape} {own.dtype}"
                raise error(Reason.MODEL_INVALID, field=f"{self.name}.inputs[{i}]", got=got, expected=expected)
        call = Call(self, symbols, [each.type for each in network.outputs])
        given = network.gives.pack(call.outputs)
        self._given = (*self._given, given)
        return given

    def build(self, input_shape: Any, dtype: str = "float32") -> None:
        """Make the layers' weights for inputs of a shape.

        Parameters
        ----------
        input_shape : tuple, list of tuples, or mapping of str to tuple
            Of the input, or of each; the first axis is the batch, None: `(None, 10)`.
        dtype : str
            "float32", or "int32" for row numbers. To mix them, call the model on what `Input` returns.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if it is no shape, or the model has been built.
        """
        if self.built:
            raise self._wrong("build", got=input_shape, expected="no shape: it is built")
        is_one = isinstance(input_shape, tuple) and all(each is None or isinstance(each, int) for each in input_shape)
        structure, shapes = (Structure(("",), is_one=True), [input_shape]) if is_one else structure_of(input_shape)
        for shape in shapes:
            if not shape or shape[0] is not None:
                raise self._wrong("build", got=shape, expected="the batch first: (None, 10)")
        self._build_on([Input(shape[1:], dtype=dtype).type for shape in shapes], structure)

    @property
    def built(self) -> bool:
        """Whether the shapes of its layers are known."""
        return self._connected is not None

    @property
    def _network(self) -> Network:
        """What it computes."""
        if self._connected is None:
            hint = "build((None, 10)) it, or call it on symbols"
            raise error(Reason.INVALID_FIELD, "not built yet", field=self.name, hint=hint)
        return self._connected

    @property
    def inputs(self) -> list[Symbol]:
        """The symbols of its inputs."""
        return list(self._network.inputs)

    @property
    def outputs(self) -> list[Symbol]:
        """The symbols of its outputs."""
        return list(self._network.outputs)

    @property
    def layers(self) -> list[Layer]:
        """Its layers without the inputs, each once, in the order of Keras.

        That is from the inputs on; in a subclass that of its attributes.
        """
        layers = self._network.layers
        attributes = [each for each in _layers_in(vars(self).values()) if each in layers]
        return list(dict.fromkeys([*attributes, *layers]))

    @property
    def variables(self) -> Sequence[Variable]:
        """The arrays of weights of its layers, in the order of these."""
        return list(dict.fromkeys(variable for layer in self.layers for variable in layer.variables))

    def get_layer(self, name: str) -> Layer:
        """Return a layer by its name.

        Raises
        ------
        InvalidArgumentError
            UNKNOWN_LAYER.
        """
        for call in self._network.calls:
            if self._network.names[call] == name:
                return call.layer
        expected = ", ".join(self._network.names[call] for call in self._network.calls)
        raise error(Reason.UNKNOWN_LAYER, field=self.name, got=repr(name), expected=expected)

    def summary(self, print_fn: Any = print) -> None:
        """Print its layers, their outputs' shapes and their parameters.

        Parameters
        ----------
        print_fn : callable
            Takes the text.
        """
        print_fn("\n".join(summary_lines(self.name, self._network, self.layers, self.count_params())))

    def to_message(
        self, name: str = "", *, description: str = "", metadata: Mapping[str, str] | None = None
    ) -> ModelMessage:
        """Return the message that describes it, its weights inline.

        What engine and server load: `numbatch.engine.load_model(message)`, `client.load_model(message)`. A layer that
        is called several times is there several times, under numbered names, with the same weights. Layers of a model
        within it are called "<its name>/<theirs>". Dropout is left out.

        Parameters
        ----------
        name : str
            Under which it is served. Default: the model's.
        description : str
            What it is, for people.
        metadata : mapping of str to str, optional
            Free text by key.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if it has not been built, or has no such name.
        """
        name = name or self.name
        if not is_model_name(name):
            expected = "1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or a digit"
            raise error(Reason.INVALID_FIELD, field="name", got=repr(name), expected=expected)
        network = self._network
        graph = GraphWriter(name, description=description, metadata=metadata)
        inputs = [
            graph.input(network.names[each.call], each.type.shape, integer=each.type.integer) for each in network.inputs
        ]
        outputs: list[Written] = []
        for symbol, key in zip(network.write(graph, inputs), network.gives.keys, strict=True):
            is_right = symbol not in outputs and key in ("", symbol.name)
            outputs.append(symbol if is_right else graph.activation(symbol, "linear", name=key))
        message = graph.model(outputs)
        _leave_out_plain_wiring(message)
        return message

    def save(
        self, folder: str | os.PathLike[str], *, version: int | None = None, text: bool = False, overwrite: bool = False
    ) -> Path:
        """Write it as a version of a model of a repository.

        Parameters
        ----------
        folder : path
            The model's folder, `<repository>/<name>`, made if missing.
        version : int, optional
            Default: one more than the newest there, or 1.
        text : bool
            Write `model.txtpb`, which people can read, instead of `model.binpb`. Weights of more than 1 MiB go into
            `weights.safetensors` in any case.
        overwrite : bool
            Whether the version may be there already.

        Returns
        -------
        Path
            The version's folder, which `numbatch.engine.load_model` takes.

        Raises
        ------
        FileExistsError
            If it is there and may not be.
        InvalidArgumentError
            INVALID_FIELD, if the model has not been built, or another name than the folder.
        """
        name = Path(folder).resolve().name
        if self.is_named and self.name != name:
            hint = f"save it to {Path(folder) / self.name}, or leave its name away"
            raise error(
                Reason.INVALID_FIELD, "folder", field="name", got=repr(name), expected=repr(self.name), hint=hint
            )
        message = self.to_message(name)
        place = version_folder(Path(folder), version, overwrite=overwrite)
        write_model(message, place, text=text)
        return place

    def write(self, graph: GraphWriter, inputs: Sequence[Written], name: str) -> list[Written]:
        """Write its layers behind its name; used by the models that it is in."""
        return self._network.write(graph, inputs, f"{name}/")

    def __repr__(self) -> str:
        if not self.built:
            return f"<{type(self).__name__} {self.name}: not built>"
        layers, parameters = len(self.layers), self.count_params()
        return f"<{type(self).__name__} {self.name}: {layers} layers, {parameters} parameters>"

    def _connect(self, inputs: Any, outputs: Any) -> None:
        """Become what is between symbols."""
        takes, flat_inputs = symbols_of(inputs, f"{self.name}.inputs")
        gives, flat_outputs = symbols_of(outputs, f"{self.name}.outputs")
        self._connected = network_of(flat_inputs, flat_outputs, takes, gives, self.name)
        for call in self._connected.calls:
            self._draw(call.layer)

    def _build_on(self, types: Sequence[ArrayType], structure: Structure) -> None:
        inputs = structure.pack([Input(each.shape, dtype="int32" if each.integer else "float32") for each in types])
        self._call_on(inputs)

    def _call_on(self, inputs: Any) -> None:
        """Become what `call` makes of new inputs."""
        self._connect(inputs, self.call(inputs))

    def _draw(self, layer: Layer) -> None:
        if self._rng is not None:
            for variable in layer.variables:
                variable.draw(self._rng)


def _layers_in(values: Iterable[Any]) -> Iterable[Layer]:
    """Yield the layers among values, and in the lists and mappings among them."""
    for value in values:
        if isinstance(value, Layer):
            yield value
        elif isinstance(value, list | tuple) and not isinstance(value, Network):
            yield from _layers_in(value)
        elif isinstance(value, dict):
            yield from _layers_in(value.values())


def _leave_out_plain_wiring(message: ModelMessage) -> None:
    """Leave out the names of inputs and outputs that messages have anyway: of layers that follow each other."""
    sources = [message.inputs[0].name, *(layer.name for layer in message.layers)]
    if len(message.inputs) > 1 or list(message.outputs) != sources[-1:]:
        return
    if all(list(layer.inputs) == [source] for layer, source in zip(message.layers, sources[:-1], strict=True)):
        message.ClearField("outputs")
        for layer in message.layers:
            layer.ClearField("inputs")

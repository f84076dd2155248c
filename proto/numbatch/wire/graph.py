"""Writing a Model message layer by layer: each call adds a layer and returns what it gives, for the next to take.

>>> graph = GraphWriter("residual")
>>> x = graph.input("x", [8])
>>> y = graph.dense(x, np.zeros((8, 8)), np.zeros(8), "relu")
>>> model = graph.model([graph.add([x, y], name="sum")])
>>> [(layer.name, list(layer.inputs)) for layer in model.layers]
[('dense', ['x']), ('sum', ['x', 'dense'])]
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.v1.model_pb2 import POOLING_MEAN, POOLING_SUM, Activation, InputSpec, Layer, Model, Slice
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, DATA_TYPE_INT32
from numbatch.wire.errors import error
from numbatch.wire.layers import ArrayType, Shape, output_type, parameters_of
from numbatch.wire.models import NUMERIC_CONTRACT, weights_of
from numbatch.wire.names import activation_function
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import shape_text

_POOLINGS = {"": 0, "sum": POOLING_SUM, "mean": POOLING_MEAN}
_LONGEST_NAME = 128
_MOST_SLICES = 8


class Symbol(NamedTuple):
    """An array of a graph: an input, or a layer's output.

    Attributes
    ----------
    name : str
        The input or the layer.
    shape : tuple of int
        The axes of one example, without the batch.
    integer : bool
        Whether it holds row numbers of lookup tables.
    """

    name: str
    shape: Shape
    integer: bool = False


class GraphWriter:
    """Writes a model.

    Names that are not given are made of the layer's kind; those that are, are kept as far as a name may be so
    (`numbatch.wire.names`), and numbered where they come twice: "dense", "dense_1".

    Every method raises InvalidModelError (MODEL_INVALID, WEIGHTS_MISMATCH) or InvalidArgumentError where what it is
    given does not fit; the field is the layer's name.

    Parameters
    ----------
    name : str
        The model's.
    description : str
        What it is, for people.
    metadata : mapping of str to str, optional
        Free text by key.
    """

    def __init__(self, name: str = "", *, description: str = "", metadata: Mapping[str, str] | None = None) -> None:
        self._model = Model(
            name=name, description=description, numeric_contract=NUMERIC_CONTRACT, metadata=metadata or {}
        )
        self._names: set[str] = set()

    def input(self, name: str, shape: Sequence[int], *, integer: bool = False) -> Symbol:
        """Add an input of the model; `shape` is that of one example, without the batch."""
        if not shape or min(shape) < 1:
            raise error(
                Reason.MODEL_INVALID, field=f"{name}.shape", got=shape_text(shape), expected="axes of 1 or more"
            )
        name = self._unique(name or "input")
        data_type = DATA_TYPE_INT32 if integer else DATA_TYPE_FLOAT32
        self._model.inputs.append(InputSpec(name=name, data_type=data_type, shape=shape))
        return Symbol(name, tuple(shape), integer)

    def dense(
        self,
        x: Symbol,
        kernel: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        activation: str = "linear",
        *,
        alpha: float | None = None,
        name: str = "",
    ) -> Symbol:
        """Add activation(x W + b) over the last axis; `kernel` is W of shape [inputs, units]."""
        layer = Layer()
        layer.dense.units = np.shape(kernel)[-1] if np.ndim(kernel) else 0
        if activation != "linear":
            layer.dense.activation.CopyFrom(_activation(activation, alpha))
        return self._add(layer, [x], name, kernel=kernel, bias=bias)

    def activation(self, x: Symbol, function: str, *, alpha: float | None = None, name: str = "") -> Symbol:
        """Add an activation, by its name in model.proto: "relu", "gelu_erf", "softmax"."""
        return self._add(Layer(activation=_activation(function, alpha)), [x], name or function)

    def softmax(self, x: Symbol, *, name: str = "") -> Symbol:
        """Add a softmax over the last axis."""
        return self._add(_with("softmax"), [x], name)

    def flatten(self, x: Symbol, *, name: str = "") -> Symbol:
        """Add the joining of all axes into one."""
        return self._add(_with("flatten"), [x], name)

    def reshape(self, x: Symbol, shape: Sequence[int], *, name: str = "") -> Symbol:
        """Add the same elements under other axes (without the batch), of which one may be -1."""
        layer = _with("reshape")
        layer.reshape.shape.extend(shape)
        return self._add(layer, [x], name)

    def batch_normalization(
        self,
        x: Symbol,
        mean: npt.ArrayLike,
        variance: npt.ArrayLike,
        scale: npt.ArrayLike | None = None,
        offset: npt.ArrayLike | None = None,
        *,
        epsilon: float = 0.001,
        name: str = "",
    ) -> Symbol:
        """Add scale (x - mean) / sqrt(variance + epsilon) + offset, each of shape [features]."""
        layer = _with("batch_normalization")
        layer.batch_normalization.epsilon = epsilon
        return self._add(layer, [x], name, mean=mean, variance=variance, scale=scale, offset=offset)

    def affine(
        self, x: Symbol, scale: npt.ArrayLike | None = None, offset: npt.ArrayLike | None = None, *, name: str = ""
    ) -> Symbol:
        """Add scale x + offset, element by element of the last axis: a batch normalisation of nothing."""
        features = x.shape[-1:]
        ones = np.ones(features, np.float32)
        scale, offset = (None if each is None else np.broadcast_to(each, features) for each in (scale, offset))
        zeros = np.zeros(features, np.float32)
        return self.batch_normalization(x, zeros, ones, scale, offset, epsilon=0.0, name=name or "affine")

    def normalization(self, x: Symbol, mean: npt.ArrayLike, variance: npt.ArrayLike, *, name: str = "") -> Symbol:
        """Add (x - mean) / sqrt(variance), each of shape [features]."""
        return self._add(_with("normalization"), [x], name, mean=mean, variance=variance)

    def layer_normalization(
        self,
        x: Symbol,
        scale: npt.ArrayLike | None = None,
        offset: npt.ArrayLike | None = None,
        *,
        epsilon: float = 0.001,
        name: str = "",
    ) -> Symbol:
        """Add a normalisation of each row over its last axis, then scale and offset of shape [features]."""
        layer = _with("layer_normalization")
        layer.layer_normalization.epsilon = epsilon
        return self._add(layer, [x], name, scale=scale, offset=offset)

    def add(self, arrays: Sequence[Symbol], *, name: str = "") -> Symbol:
        """Add the element-wise sum of two or more arrays of one shape."""
        return self._add(_with("add"), arrays, name)

    def multiply(self, arrays: Sequence[Symbol], *, name: str = "") -> Symbol:
        """Add the element-wise product of two or more arrays of one shape."""
        return self._add(_with("multiply"), arrays, name)

    def concatenate(self, arrays: Sequence[Symbol], *, name: str = "") -> Symbol:
        """Add two or more arrays side by side along the last axis."""
        return self._add(_with("concatenate"), arrays, name)

    def slice(self, x: Symbol, start: int, stop: int, *, name: str = "") -> Symbol:
        """Add the elements of the last axis from `start` to before `stop`."""
        return self._add(Layer(slice=Slice(start=start, stop=stop)), [x], name)

    def choose(self, x: Symbol, places: Sequence[int], *, name: str = "") -> Symbol:
        """Add the elements of the last axis that are in these places, in their order.

        It is a slice or several side by side; where that would be many, a product with zeros and ones.
        """
        runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
        if len(runs) > _MOST_SLICES:
            return self.dense(x, np.eye(x.shape[-1])[:, places], name=name or "choose")
        parts = [
            self.slice(x, int(run[0]), int(run[-1]) + 1, name=f"{name or 'choose'}/{i}" if len(runs) > 1 else name)
            for i, run in enumerate(runs)
        ]
        return self.concatenate(parts, name=name or "choose") if len(parts) > 1 else parts[0]

    def embedding(
        self,
        ids: Symbol,
        table: npt.ArrayLike,
        *,
        pooling: str = "",
        padding_id: int | None = None,
        start: int = 0,
        stop: int = 0,
        name: str = "",
    ) -> Symbol:
        """Add a lookup of rows of a table of shape [vocabulary, units] by their numbers.

        Without pooling [..., n] gives [..., n, units], with "sum" or "mean" [..., units]. `start` and `stop` take only
        some of the n numbers; a `stop` of 0 is their end.
        """
        layer = _with("embedding")
        if np.ndim(table) == 2:
            layer.embedding.vocabulary_size, layer.embedding.units = np.shape(table)
        layer.embedding.pooling = _POOLINGS[pooling]  # type: ignore[assignment]
        if padding_id is not None:
            layer.embedding.padding_id = padding_id
        layer.embedding.start, layer.embedding.stop = start, stop
        return self._add(layer, [ids], name, table=table)

    def layer(
        self, layer: Layer, inputs: Sequence[Symbol], *, name: str = "", **weights: npt.ArrayLike | None
    ) -> Symbol:
        """Add a layer of any kind, described by its message but for the name, the inputs and the weights.

        The weights are those of its kind (`numbatch.wire.layers`), by the names of their fields.
        """
        described = Layer()
        described.CopyFrom(layer)
        there = [parameter.name for parameter in parameters_of(described, inputs[0].shape)]
        return self._add(described, inputs, name, **(dict.fromkeys(there) | weights))

    def model(self, outputs: Sequence[Symbol]) -> Model:
        """Return the model, with these outputs; an input among them becomes a linear layer of its own."""
        taken = [self.activation(each, "linear") if self._is_input(each) else each for each in outputs]
        model = Model()
        model.CopyFrom(self._model)
        model.outputs.extend(each.name for each in taken)
        return model

    def _is_input(self, symbol: Symbol) -> bool:
        return any(spec.name == symbol.name for spec in self._model.inputs)

    def _add(self, layer: Layer, inputs: Sequence[Symbol], name: str, **weights: npt.ArrayLike | None) -> Symbol:
        kind = layer.WhichOneof("kind") or ""
        layer.name = self._unique(name or kind)
        layer.inputs.extend(each.name for each in inputs)
        given = [ArrayType(each.shape, each.integer) for each in inputs]
        output = output_type(layer, given, layer.name)
        for parameter in parameters_of(layer, inputs[0].shape):
            array = weights[parameter.name]
            if array is None:
                continue
            message = weights_of(array)
            if tuple(message.shape) != parameter.shape:
                got, expected = shape_text(message.shape), shape_text(parameter.shape)
                field = f"{layer.name}.{parameter.name}.shape"
                raise error(Reason.WEIGHTS_MISMATCH, field=field, got=got, expected=expected)
            getattr(getattr(layer, kind), parameter.name).CopyFrom(message)
        self._model.layers.append(layer)
        return Symbol(layer.name, output.shape)

    def _unique(self, name: str) -> str:
        """Return a name that a layer may have, and that none has so far."""
        clean = re.sub(r"[^A-Za-z0-9._/:-]+", "_", name).lstrip("._/:-")[:_LONGEST_NAME] or "layer"
        unique, number = clean, 0
        while unique in self._names:
            number += 1
            unique = f"{clean[: _LONGEST_NAME - 8]}_{number}"
        self._names.add(unique)
        return unique


def _with(kind: str) -> Layer:
    layer = Layer()
    getattr(layer, kind).SetInParent()
    return layer


def _activation(function: str, alpha: float | None) -> Activation:
    return Activation(function=activation_function(function), alpha=alpha)

"""Symbols, and the layers that are called on them; with the arithmetic that symbols know themselves.

>>> from numbatch.models import Input
>>> x = Input((8,), name="x")
>>> x * 0.5 + x
<Symbol add: (None, 8) float32>
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.models.variables import Variable
from numbatch.v1.model_pb2 import Add as AddMessage
from numbatch.v1.model_pb2 import BatchNormalization as BatchNormalizationMessage
from numbatch.v1.model_pb2 import Layer as LayerMessage
from numbatch.v1.model_pb2 import Multiply as MultiplyMessage
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.graph import GraphWriter
from numbatch.wire.graph import Symbol as Written
from numbatch.wire.layers import ArrayType, output_type, parameters_of
from numbatch.wire.names import is_layer_name
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, as_float32, shape_text

# What Keras' layers take for training, which changes no output: accepted and left out.
_FOR_TRAINING = re.compile(r"\w+_(regularizer|constraint)|trainable|momentum|synchronized|noise_shape|seed")

_call_numbers = itertools.count()


class Symbol:
    """An array of a network to be: what `Input` and the layers give, for layers to take.

    Symbols of one shape can be added, subtracted and multiplied. A number, or an array of the length of the last axis,
    may stand on either side; and divide.

    Attributes
    ----------
    call : Call
        What gives it.
    type : ArrayType
        Its axes without the batch, and whether it holds integers.
    """

    __array_ufunc__ = None  # so that `array * symbol` is the symbol's multiplication, not NumPy's

    def __init__(self, call: "Call", array_type: ArrayType) -> None:
        self.call = call
        self.type = array_type

    @property
    def name(self) -> str:
        """The name of the layer that gives it."""
        return self.call.layer.name

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Its axes, the batch first: None."""
        return (None, *self.type.shape)

    @property
    def dtype(self) -> str:
        """The type of its elements: "float32", or "int32" for the row numbers of an Embedding."""
        return "int32" if self.type.integer else "float32"

    def __repr__(self) -> str:
        return f"<Symbol {self.name}: {self.shape} {self.dtype}>"

    def __add__(self, other: "Symbol | npt.ArrayLike") -> "Symbol":
        return Add()([self, other]) if isinstance(other, Symbol) else Rescaling(1.0, other)(self)

    def __sub__(self, other: "Symbol | npt.ArrayLike") -> "Symbol":
        return self + (-other if isinstance(other, Symbol) else np.negative(other))

    def __mul__(self, other: "Symbol | npt.ArrayLike") -> "Symbol":
        return Multiply()([self, other]) if isinstance(other, Symbol) else Rescaling(other)(self)

    def __truediv__(self, other: npt.ArrayLike) -> "Symbol":
        return Rescaling(np.divide(1.0, other))(self)

    def __rsub__(self, other: npt.ArrayLike) -> "Symbol":
        return Rescaling(-1.0, other)(self)

    def __neg__(self) -> "Symbol":
        return Rescaling(-1.0)(self)

    __radd__ = __add__
    __rmul__ = __mul__


class Call:
    """A layer called on symbols: what a network is made of.

    Attributes
    ----------
    layer : Layer
        What is called.
    inputs, outputs : tuple of Symbol
        What it takes and gives.
    number : int
        Later calls have larger ones.
    """

    def __init__(self, layer: "Layer", inputs: Sequence[Symbol], outputs: Sequence[ArrayType]) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.outputs = tuple(Symbol(self, each) for each in outputs)
        self.number = next(_call_numbers)


class Layer:
    """A layer of a kind of the contract. Its subclasses say which, and what its weights are called.

    All of them take what follows as keywords, and what Keras' layers take for training (`kernel_regularizer`,
    `trainable` and the like), which is left out.

    Parameters
    ----------
    name : str
        Under which its output can be asked for. Default: its class in snake case, numbered where a model has several.
    weights : sequence of array_like, optional
        What `get_weights` is to return. Default: what its initialisers make.
    """

    _name = ""
    _is_named = False
    _variables: tuple[Variable, ...] = ()
    _given: tuple[Any, ...] = ()  # what its calls gave
    axis: int | Sequence[int] = -1  # of layers that have one; it must be the last

    def __init__(self, *, name: str = "", **training: Any) -> None:
        for unknown in (each for each in training if not _FOR_TRAINING.fullmatch(each)):
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {unknown!r}")
        if name and not is_layer_name(name):
            expected = "letters, digits and . _ - / :, at most 128, a letter or digit first"
            raise error(Reason.INVALID_FIELD, field="name", got=repr(name), expected=expected)
        self._name, self._is_named = name, bool(name)

    def _describe(
        self,
        message: LayerMessage,
        variables: Sequence[Variable] = (),
        weights: Sequence[npt.ArrayLike] | None = None,
    ) -> None:
        """Say what it is in the contract, without its weights, and which weights it has; called by constructors."""
        self._message = message
        self._variables = tuple(variables)
        self._tell_name()
        if weights is not None:
            self.set_weights(weights)

    @property
    def name(self) -> str:
        """Its name: the one given, the one that the first model gave it, or its class in snake case."""
        return self._name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def is_named(self) -> bool:
        """Whether its name was given."""
        return self._is_named

    @property
    def variables(self) -> Sequence[Variable]:
        """Its arrays of weights, in the order of Keras."""
        return self._variables

    def adopt(self, name: str) -> None:
        """Take the name that a model gives, unless it has one."""
        self._name = self._name or name
        self._tell_name()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __call__(self, inputs: Any) -> Symbol:
        """Return the symbol of its output.

        Parameters
        ----------
        inputs : Symbol, or sequence of Symbol
            What it takes.

        Raises
        ------
        InvalidModelError
            MODEL_INVALID or WEIGHTS_MISMATCH, if it cannot take them.
        InvalidArgumentError
            INVALID_FIELD, if they are no symbols.
        """
        symbols = list(inputs) if isinstance(inputs, Sequence) else [inputs]
        check_symbols(symbols, f"{self.name}.inputs")
        output = self._output_type([each.type for each in symbols])
        for parameter in parameters_of(self._message, symbols[0].type.shape):
            for variable in self._variables:
                if variable.field == parameter.name:
                    variable.build(parameter.shape)
        given = Call(self, symbols, [output]).outputs[0]
        self._given = (*self._given, given)
        return given

    @property
    def output(self) -> Any:
        """What its only call gave: where a model within a model, or a new end of one, begins.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if it was not called, or more than once.
        """
        if len(self._given) != 1:
            expected = "one call of the layer"
            raise error(Reason.INVALID_FIELD, field=f"{self.name}.output", got=len(self._given), expected=expected)
        return self._given[0]

    def get_weights(self) -> list[Float32Array]:
        """Return copies of its weights, in the order of Keras.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if it has not been built.
        """
        return [each.value.copy() for each in self.variables]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Replace its weights.

        Parameters
        ----------
        weights : sequence of array_like
            As many as `get_weights` returns, in its order and of its shapes.

        Raises
        ------
        InvalidModelError
            WEIGHTS_MISMATCH, if one of them has another shape, or there are more or fewer.
        """
        variables = self.variables
        if len(weights) != len(variables):
            expected = f"{len(variables)}: {', '.join(each.path for each in variables) or 'it has none'}"
            field = f"{self.name}.weights"
            raise error(Reason.WEIGHTS_MISMATCH, "number of arrays", field=field, got=len(weights), expected=expected)
        values = [variable.checked(array) for variable, array in zip(variables, weights, strict=True)]
        for variable, value in zip(variables, values, strict=True):  # now that all are right
            variable.assign(value)

    def count_params(self) -> int:
        """Return the number of its weights.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if it has not been built.
        """
        return sum(each.size for each in self.variables)

    def write(self, graph: GraphWriter, inputs: Sequence[Written], name: str) -> list[Written]:
        """Write it into a message under a name; used by models."""
        weights = {each.field: each.value for each in self._variables}
        return [graph.layer(self._message, inputs, name=name, **weights)]

    def _output_type(self, inputs: Sequence[ArrayType]) -> ArrayType:
        output = output_type(self._message, inputs, self.name)
        last = len(output.shape)
        if self.axis not in (-1, last) and list(np.atleast_1d(self.axis)) not in ([-1], [last]):
            expected = f"-1 or {last}, the last"
            raise error(Reason.FEATURE_UNSUPPORTED, field=f"{self.name}.axis", got=self.axis, expected=expected)
        return output

    def _tell_name(self) -> None:
        for each in self._variables:
            each.layer_name = self.name

    def _array(self, name: str) -> Float32Array:
        """Return an array of weights by its name in Keras."""
        return next(each.value for each in self._variables if each.name == name)

    def _array_or_none(self, name: str) -> Float32Array | None:
        return self._array(name) if any(each.name == name for each in self._variables) else None

    def _wrong(self, argument: str, *, got: object, expected: object, problem: str = "") -> NumbatchError:
        """Return the error of an argument of its constructor."""
        field = f"{self.name}.{argument}"
        return error(Reason.INVALID_FIELD, problem, field=field, got=got, expected=expected)


def check_symbols(given: Sequence[Any], field: str) -> None:
    """Refuse to call a layer or a model on anything but symbols.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    for i, each in enumerate(given):
        if not isinstance(each, Symbol):
            expected = "a symbol: what Input(...) or a layer returns"
            hint = "numbers are computed by numbatch.engine.load_model(model).infer(x), or by a server"
            got = type(each).__name__
            raise error(Reason.INVALID_FIELD, field=f"{field}[{i}]", got=got, expected=expected, hint=hint)


class Add(Layer):
    """The element-wise sum of two or more symbols of one shape."""

    def __init__(self, *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(add=AddMessage()))


class Multiply(Layer):
    """The element-wise product of two or more symbols of one shape."""

    def __init__(self, *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(multiply=MultiplyMessage()))


class Rescaling(Layer):
    """scale x + offset: a number each, or an array of the length of the last axis. It has no weights."""

    def __init__(self, scale: npt.ArrayLike, offset: npt.ArrayLike = 0.0, *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(batch_normalization=BatchNormalizationMessage(epsilon=0.0)))
        self.scale = as_float32(scale, f"{self.name}.scale")
        self.offset = as_float32(offset, f"{self.name}.offset")

    def write(self, graph: GraphWriter, inputs: Sequence[Written], name: str) -> list[Written]:
        """Write it as a batch normalisation of nothing."""
        return [graph.affine(inputs[0], self.scale, self.offset, name=name)]

    def _output_type(self, inputs: Sequence[ArrayType]) -> ArrayType:
        output = super()._output_type(inputs)
        for name, array in (("scale", self.scale), ("offset", self.offset)):
            if array.shape not in ((), (1,), output.shape[-1:]):
                got, expected = shape_text(array.shape), f"a number, or [{output.shape[-1]}] as its input's last axis"
                raise self._wrong(f"{name}.shape", got=got, expected=expected)
        return output

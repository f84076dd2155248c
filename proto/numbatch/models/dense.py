"""The layers with tables of weights: Dense and Embedding.

>>> from numbatch.models import Input
>>> layer = Dense(3, activation="sigmoid")
>>> layer(Input((10,)))
<Symbol dense: (None, 3) float32>
>>> layer.kernel.shape, layer.bias
((10, 3), array([0., 0., 0.], dtype=float32))
"""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from numbatch.models.activations import Activation, function_of
from numbatch.models.initializers import Initial, initializer_of
from numbatch.models.layer import Layer
from numbatch.models.variables import Variable
from numbatch.v1.model_pb2 import ACTIVATION_FUNCTION_LINEAR, POOLING_MEAN, POOLING_SUM, Pooling
from numbatch.v1.model_pb2 import Dense as DenseMessage
from numbatch.v1.model_pb2 import Embedding as EmbeddingMessage
from numbatch.v1.model_pb2 import Layer as LayerMessage
from numbatch.wire.layers import MOST_ROWS_OF_TABLE, MOST_UNITS
from numbatch.wire.tensors import Float32Array

_POOLINGS: dict[str | None, Pooling | None] = {None: None, "sum": POOLING_SUM, "mean": POOLING_MEAN}


class Dense(Layer):
    """activation(x W + b) over the last axis.

    Parameters
    ----------
    units : int
        The number of neurons, 1 to 65536.
    activation : str or Activation, optional
        A name, or a layer: `LeakyReLU(0.1)`. Default: linear.
    use_bias : bool
        False: no b.
    kernel_initializer, bias_initializer : str, Initializer or callable
        What makes W, of shape (inputs, units), and b, of shape (units,).
    weights : sequence of array_like, optional
        W, and b if there is one.
    name : str
        See `Layer`.
    """

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initial = "glorot_uniform",
        bias_initializer: Initial = "zeros",
        *,
        weights: Sequence[npt.ArrayLike] | None = None,
        name: str = "",
        **training: Any,
    ) -> None:
        super().__init__(name=name, **training)
        if not 1 <= units <= MOST_UNITS:
            raise self._wrong("units", got=units, expected=f"1 to {MOST_UNITS}")
        function = function_of(activation, f"{self.name}.activation")
        variables = [Variable("kernel", initializer_of(kernel_initializer, f"{self.name}.kernel_initializer"))]
        if use_bias:
            variables.append(Variable("bias", initializer_of(bias_initializer, f"{self.name}.bias_initializer")))
        is_linear = function.function == ACTIVATION_FUNCTION_LINEAR
        dense = DenseMessage(units=units, activation=None if is_linear else function)
        self.units = units
        self._describe(LayerMessage(dense=dense), variables, weights)

    @property
    def kernel(self) -> Float32Array:
        """W, of shape (inputs, units), read-only."""
        return self._array("kernel")

    @property
    def bias(self) -> Float32Array | None:
        """b, of shape (units,), read-only; None if there is none."""
        return self._array_or_none("bias")


class Embedding(Layer):
    """The rows of a table, looked up by their numbers: [..., n] gives [..., n, output_dim].

    Parameters
    ----------
    input_dim : int
        The rows of the table; a number outside 0 to input_dim - 1 is refused when it comes.
    output_dim : int
        The elements of a row, 1 to 65536.
    embeddings_initializer : str, Initializer or callable
        What makes the table, of shape (input_dim, output_dim).
    pooling : str, optional
        "sum" or "mean": what is made of the n rows, so that [..., n] gives [..., output_dim]. Default: they stay apart.
    padding_id : int, optional
        With pooling: the number that stands for "nothing here". Its row is left out.
    mask_zero : bool
        With pooling: `padding_id=0`, as Keras says it.
    weights : sequence of array_like, optional
        The table.
    name : str
        See `Layer`.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Initial = "uniform",
        *,
        pooling: str | None = None,
        padding_id: int | None = None,
        mask_zero: bool = False,
        weights: Sequence[npt.ArrayLike] | None = None,
        name: str = "",
        **training: Any,
    ) -> None:
        super().__init__(name=name, **training)
        if not 1 <= input_dim <= MOST_ROWS_OF_TABLE:
            raise self._wrong("input_dim", got=input_dim, expected=f"1 to {MOST_ROWS_OF_TABLE}")
        if not 1 <= output_dim <= MOST_UNITS:
            raise self._wrong("output_dim", got=output_dim, expected=f"1 to {MOST_UNITS}")
        if pooling not in _POOLINGS:
            raise self._wrong("pooling", got=repr(pooling), expected="None, 'sum' or 'mean'")
        if mask_zero and padding_id is None:
            padding_id = 0
        if padding_id is not None and not (pooling and 0 <= padding_id < input_dim):
            expected = f"0 to {input_dim - 1}" if pooling else "none without pooling"
            raise self._wrong("padding_id", got=padding_id, expected=expected)
        embedding = EmbeddingMessage(
            vocabulary_size=input_dim, units=output_dim, pooling=_POOLINGS[pooling], padding_id=padding_id
        )
        initializer = initializer_of(embeddings_initializer, f"{self.name}.embeddings_initializer")
        self._describe(LayerMessage(embedding=embedding), [Variable("embeddings", initializer, "table")], weights)

    @property
    def embeddings(self) -> Float32Array:
        """The table, of shape (input_dim, output_dim), read-only."""
        return self._array("embeddings")

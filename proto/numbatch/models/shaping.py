"""The layers without arithmetic: axes joined and changed, symbols side by side; and Dropout.

>>> from numbatch.models import Input
>>> Flatten()(Dropout(0.5)(Input((2, 3))))
<Symbol flatten: (None, 6) float32>
"""

from collections.abc import Sequence
from typing import Any

from numbatch.models.layer import Layer
from numbatch.v1.model_pb2 import Concatenate as ConcatenateMessage
from numbatch.v1.model_pb2 import Flatten as FlattenMessage
from numbatch.v1.model_pb2 import Layer as LayerMessage
from numbatch.v1.model_pb2 import Reshape as ReshapeMessage
from numbatch.wire.graph import GraphWriter
from numbatch.wire.graph import Symbol as Written
from numbatch.wire.layers import ArrayType


class Flatten(Layer):
    """All axes of an example into one."""

    def __init__(self, *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(flatten=FlattenMessage()))


class Reshape(Layer):
    """The same elements under other axes.

    Parameters
    ----------
    target_shape : sequence of int
        Without the batch. One of them may be -1: what remains.
    name : str
        See `Layer`.
    """

    def __init__(self, target_shape: Sequence[int], *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(reshape=ReshapeMessage(shape=target_shape)))


class Concatenate(Layer):
    """Two or more symbols side by side along the last axis."""

    def __init__(self, axis: int = -1, *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(concatenate=ConcatenateMessage()))
        self.axis = axis


class Dropout(Layer):
    """Nothing: it only matters in training, and is left out of messages."""

    def __init__(self, rate: float = 0.5, *, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self._describe(LayerMessage(flatten=FlattenMessage()))  # of one input, without weights
        self.rate = rate

    def write(self, graph: GraphWriter, inputs: Sequence[Written], name: str) -> list[Written]:
        """Write nothing."""
        return list(inputs)

    def _output_type(self, inputs: Sequence[ArrayType]) -> ArrayType:
        super()._output_type(inputs)
        return inputs[0]

"""What comes of reading a model of another framework."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from numbatch.v1.model_pb2 import Model
from numbatch.wire.tensors import Array

# Arrays by the converted model's input names -> arrays by its output names, as the framework computes them.
Reference = Callable[[Mapping[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True)
class Converted:
    """A model that came from another framework.

    Attributes
    ----------
    model : Model
        With inline weights.
    reference : callable, optional
        The original, to compare with: it takes arrays by the model's input names (float32, or int32 for row numbers;
        the batch is the first axis) and returns arrays by its output names. None where the framework is not installed.
    notes : tuple of str
        What a user should know: what was left out or decided, a sentence each.
    """

    model: Model
    reference: Reference | None = None
    notes: tuple[str, ...] = ()

"""Rows to try a model with: random, of the types and in the ranges that its inputs take."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from numbatch.v1.model_pb2 import Layer, Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.layers import Shape, vocabularies
from numbatch.wire.models import array_of
from numbatch.wire.tensors import Array

# Of row numbers, how many are the one that stands for "nothing here".
_SHARE_OF_PADDING = 0.25


class RandomInput(NamedTuple):
    """How the rows of one input are drawn.

    Attributes
    ----------
    shape : tuple of int
        Its axes, without the batch.
    vocabulary : int or tuple of int
        Of row numbers: they are 0 to `vocabulary` - 1; if not the same, for each place of the last axis. 0: normally
        distributed numbers.
    padding_id : int or None
        A row number that is to come often.
    mean, deviation : array_like
        Of the normal distribution, over the last axis.
    """

    shape: Shape
    vocabulary: int | tuple[int, ...] = 0
    padding_id: int | None = None
    mean: Array | float = 0.0
    deviation: Array | float = 1.0


@dataclass(frozen=True)
class RandomRows:
    """Random rows; the same seed gives the same ones, in minibatches of any size.

    Numbers are standard normal. The first row has the lowest row numbers, the second the highest. None is padding
    alone: on the mean of nothing frameworks do not agree (Keras' is NaN, ours and PyTorch's are 0).
    """

    inputs: Mapping[str, RandomInput]
    rows: int
    seed: int

    def minibatches(self, batch_size: int) -> Iterator[dict[str, Array]]:
        """Yield rows as they are drawn, of a stream for each input."""
        streams = {name: np.random.default_rng((self.seed, i)) for i, name in enumerate(self.inputs)}
        for start in range(0, self.rows, batch_size):
            rows = min(batch_size, self.rows - start)
            yield {name: _drawn(spec, start, rows, streams[name]) for name, spec in self.inputs.items()}


def random_inputs(model: Model) -> dict[str, RandomInput]:
    """Return how rows are drawn for a model whose layers are named.

    Row numbers are those of the smallest table they are looked up in. What a normalisation with stored statistics takes
    first thing is drawn of its mean and variance, where the message has them: of numbers that are all far from what the
    network was made for, its outputs would say nothing.
    """
    inputs = {}
    for i, spec in enumerate(model.inputs):
        takers = [layer for layer in model.layers if spec.name in layer.inputs]
        if i == 0 and model.layers and not model.layers[0].inputs:
            takers.append(model.layers[0])
        draw = _row_numbers if spec.data_type == DATA_TYPE_INT32 else _numbers
        inputs[spec.name] = draw(tuple(spec.shape), takers)
    return inputs


def _row_numbers(shape: Shape, takers: Iterable[Layer]) -> RandomInput:
    lookups = [layer for layer in takers if layer.WhichOneof("kind") == "embedding"]
    ends = vocabularies(shape[-1], lookups)
    tables = [layer.embedding for layer in lookups]
    padding = [table.padding_id for table in tables if table.HasField("padding_id") and table.padding_id < min(ends)]
    return RandomInput(shape, ends if len(set(ends)) > 1 else ends[0], padding[0] if padding else None)


def _numbers(shape: Shape, takers: Iterable[Layer]) -> RandomInput:
    for layer in takers:
        kind = layer.WhichOneof("kind")
        if kind in ("normalization", "batch_normalization"):
            statistics = getattr(layer, kind)
            if statistics.mean.data and statistics.variance.data:
                return RandomInput(
                    shape, mean=array_of(statistics.mean), deviation=np.sqrt(array_of(statistics.variance))
                )
    return RandomInput(shape)


def _drawn(spec: RandomInput, start: int, rows: int, stream: np.random.Generator) -> Array:
    size = (rows, *spec.shape)
    if not spec.vocabulary:
        drawn = stream.standard_normal(size, dtype=np.float32)
        return np.asarray(spec.mean + spec.deviation * drawn, np.float32)
    # One draw a number, whatever the size of the minibatch: the padding comes out of it too.
    shares = stream.random(size)
    if spec.padding_id is not None:
        shares = (shares - _SHARE_OF_PADDING) / (1 - _SHARE_OF_PADDING)
    ends = np.asarray(spec.vocabulary)
    ids: Array = np.minimum((shares * ends).astype(np.int64), ends - 1).astype(np.int32)
    if spec.padding_id is not None:
        ids[shares < 0] = spec.padding_id
    ids[: max(0, 1 - start)] = 0
    ids[max(0, 1 - start) : max(0, 2 - start)] = ends - 1
    if spec.padding_id is not None and ends.min() > 1:
        nothing = (ids == spec.padding_id).all(-1)
        ids[nothing, 0] = 1 if spec.padding_id == 0 else 0
    return ids

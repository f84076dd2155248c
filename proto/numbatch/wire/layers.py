"""What each kind of layer takes and gives: the number and shapes of its inputs, its output's shape, its weights.

One table for all who deal with models: the engine that runs them, what builds them and what exports them.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from numbatch.v1.model_pb2 import Layer, Weights
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import shape_text

Shape = tuple[int, ...]

# A description of a few bytes must not make a server reserve gigabytes: 4 MiB for one example of one array.
MOST_ELEMENTS = 2**20
MOST_UNITS = 65536
# Row numbers are 32 bits wide inside.
MOST_ROWS_OF_TABLE = 2**31 - 1


class ArrayType(NamedTuple):
    """What an input or a layer's output is, for one example.

    Attributes
    ----------
    shape : tuple of int
        Its axes, without the batch.
    integer : bool
        Whether its elements are row numbers of lookup tables (int32), instead of float32.
    """

    shape: Shape
    integer: bool = False


class Parameter(NamedTuple):
    """An array of weights that a kind of layer has.

    Attributes
    ----------
    name : str
        The field of the layer's message.
    shape : tuple of int
        The axes that it must have.
    required : bool
        Whether it must be there.
    """

    name: str
    shape: Shape
    required: bool = True


class Kind(NamedTuple):
    """A kind of layer.

    Attributes
    ----------
    least_inputs, most_inputs : int
        How many arrays it takes.
    output : callable
        (layer, inputs, field) -> the shape of its output; raises what is wrong with the inputs' shapes.
    parameters : callable
        (layer, shape of the first input) -> its arrays of weights.
    """

    least_inputs: int
    most_inputs: int
    output: Callable[[Layer, Sequence[ArrayType], str], Shape]
    parameters: Callable[[Layer, Shape], tuple[Parameter, ...]]


_MANY = 1024


def output_type(layer: Layer, inputs: Sequence[ArrayType], field: str) -> ArrayType:
    """Return what a layer gives.

    Parameters
    ----------
    layer : Layer
        Of a kind of `KINDS`.
    inputs : sequence of ArrayType
        What it takes.
    field : str
        Its path in the model, for errors: "model.layers[2]".

    Raises
    ------
    InvalidModelError
        MODEL_INVALID, if it cannot take these.
    """
    name = layer.WhichOneof("kind")
    kind = KINDS[name]
    if not kind.least_inputs <= len(inputs) <= kind.most_inputs:
        expected = "one" if kind.most_inputs == 1 else f"{kind.least_inputs} or more"
        raise _invalid(f"{field}.inputs", f"{name} takes {expected}", got=len(inputs), expected=expected)
    for i, each in enumerate(inputs):
        if each.integer != (name == "embedding"):
            got, expected = ("int32", "float32") if each.integer else ("float32", "int32")
            hint = "only embedding takes row numbers, and nothing else"
            raise _invalid(f"{field}.inputs[{i}]", f"{name}: type of elements; {hint}", got=got, expected=expected)
    shape = kind.output(layer, inputs, field)
    if math.prod(shape) > MOST_ELEMENTS:
        raise _invalid(field, got=f"output {shape_text(shape)}", expected=f"at most {MOST_ELEMENTS} elements")
    return ArrayType(shape)


def parameters_of(layer: Layer, input_shape: Shape) -> tuple[Parameter, ...]:
    """Return the arrays of weights that a layer has or may have, in the order of their fields."""
    return KINDS[layer.WhichOneof("kind") or ""].parameters(layer, input_shape)


def weights_field(layer: Layer, name: str) -> Weights | None:
    """Return a layer's array of weights by its field's name, or None if it is not there."""
    message = getattr(layer, layer.WhichOneof("kind") or "")
    return getattr(message, name) if message.HasField(name) else None


def _same(_layer: Layer, inputs: Sequence[ArrayType], _field: str) -> Shape:
    return inputs[0].shape


def _dense(layer: Layer, inputs: Sequence[ArrayType], field: str) -> Shape:
    units = layer.dense.units
    if not 1 <= units <= MOST_UNITS:
        raise _invalid(f"{field}.dense.units", got=units, expected=f"1 to {MOST_UNITS}")
    return (*inputs[0].shape[:-1], units)


def _flatten(_layer: Layer, inputs: Sequence[ArrayType], _field: str) -> Shape:
    return (math.prod(inputs[0].shape),)


def _reshape(layer: Layer, inputs: Sequence[ArrayType], field: str) -> Shape:
    field = f"{field}.reshape.shape"
    shape, elements = list(layer.reshape.shape), math.prod(inputs[0].shape)
    if not shape or shape.count(-1) > 1 or any(length < 1 and length != -1 for length in shape):
        expected = "one or more axes of 1 or more, one of them perhaps -1"
        raise _invalid(field, got=shape_text(shape), expected=expected)
    if -1 in shape:
        known = -math.prod(shape)
        if elements % known == 0:
            shape[shape.index(-1)] = elements // known
    if math.prod(shape) != elements:
        expected = f"the {elements} elements of the input's {shape_text(inputs[0].shape)}"
        raise _invalid(field, got=shape_text(layer.reshape.shape), expected=expected)
    return tuple(shape)


def _one_shape(_layer: Layer, inputs: Sequence[ArrayType], field: str) -> Shape:
    for i, each in enumerate(inputs[1:], 1):
        if each.shape != inputs[0].shape:
            expected = f"that of the first, {shape_text(inputs[0].shape)}"
            raise _invalid(f"{field}.inputs[{i}]", "shape", got=shape_text(each.shape), expected=expected)
    return inputs[0].shape


def _side_by_side(_layer: Layer, inputs: Sequence[ArrayType], field: str) -> Shape:
    first = inputs[0].shape
    for i, each in enumerate(inputs[1:], 1):
        if each.shape[:-1] != first[:-1]:
            expected = f"that of the first, {shape_text(first)}, but for the last axis"
            raise _invalid(f"{field}.inputs[{i}]", "shape", got=shape_text(each.shape), expected=expected)
    return (*first[:-1], sum(each.shape[-1] for each in inputs))


def _slice(layer: Layer, inputs: Sequence[ArrayType], field: str) -> Shape:
    shape, start, stop = inputs[0].shape, layer.slice.start, layer.slice.stop
    if not 0 <= start < stop <= shape[-1]:
        expected = f"a part of 0 to {shape[-1]}, of one element or more"
        raise _invalid(f"{field}.slice", got=f"{start} to {stop}", expected=expected)
    return (*shape[:-1], stop - start)


def taken_numbers(layer: Layer, length: int) -> tuple[int, int]:
    """Return which of so many row numbers an embedding takes: the first, and the one after the last."""
    return layer.embedding.start, layer.embedding.stop or length


def vocabularies(length: int, takers: Iterable[Layer]) -> tuple[int, ...]:
    """Return how many rows the row numbers of an input may choose from, for each place of its last axis.

    Parameters
    ----------
    length : int
        Of the last axis.
    takers : iterable of Layer
        The embeddings that take the input: a number in several tables is a row of the smallest.
    """
    ends = [MOST_ROWS_OF_TABLE] * length
    for layer in takers:
        for place in range(*taken_numbers(layer, length)):
            ends[place] = min(ends[place], layer.embedding.vocabulary_size)
    return tuple(ends)


def _embedding(layer: Layer, inputs: Sequence[ArrayType], field: str) -> Shape:
    field, embedding, shape = f"{field}.embedding", layer.embedding, inputs[0].shape
    start, stop = taken_numbers(layer, shape[-1])
    if not 0 <= start < stop <= shape[-1]:
        expected = f"a part of 0 to {shape[-1]}, of one number or more"
        raise _invalid(f"{field}.start", got=f"{start} to {stop}", expected=expected)
    shape = (*shape[:-1], stop - start)
    if not 1 <= embedding.vocabulary_size <= MOST_ROWS_OF_TABLE:
        got, expected = embedding.vocabulary_size, f"1 to {MOST_ROWS_OF_TABLE}"
        raise _invalid(f"{field}.vocabulary_size", got=got, expected=expected)
    if not 1 <= embedding.units <= MOST_UNITS:
        raise _invalid(f"{field}.units", got=embedding.units, expected=f"1 to {MOST_UNITS}")
    if embedding.pooling not in (0, 1, 2):
        raise _invalid(f"{field}.pooling", got=embedding.pooling, expected="unspecified, sum or mean")
    if embedding.HasField("padding_id"):
        if not embedding.pooling:
            raise _invalid(f"{field}.padding_id", "without pooling", got=embedding.padding_id, expected="none")
        if not 0 <= embedding.padding_id < embedding.vocabulary_size:
            expected = f"0 to {embedding.vocabulary_size - 1}"
            raise _invalid(f"{field}.padding_id", got=embedding.padding_id, expected=expected)
    return (*(shape[:-1] if embedding.pooling else shape), embedding.units)


def _no_weights(_layer: Layer, _shape: Shape) -> tuple[Parameter, ...]:
    return ()


def _dense_weights(layer: Layer, shape: Shape) -> tuple[Parameter, ...]:
    units = layer.dense.units
    return Parameter("kernel", (shape[-1], units)), Parameter("bias", (units,), required=False)


def _embedding_weights(layer: Layer, _shape: Shape) -> tuple[Parameter, ...]:
    return (Parameter("table", (layer.embedding.vocabulary_size, layer.embedding.units)),)


def _vectors(required: Sequence[str], optional: Sequence[str] = ()) -> Callable[[Layer, Shape], tuple[Parameter, ...]]:
    def parameters(_layer: Layer, shape: Shape) -> tuple[Parameter, ...]:
        axes = shape[-1:]
        there = [Parameter(name, axes) for name in required]
        return (*there, *(Parameter(name, axes, required=False) for name in optional))

    return parameters


KINDS = {
    "dense": Kind(1, 1, _dense, _dense_weights),
    "activation": Kind(1, 1, _same, _no_weights),
    "softmax": Kind(1, 1, _same, _no_weights),
    "flatten": Kind(1, 1, _flatten, _no_weights),
    "reshape": Kind(1, 1, _reshape, _no_weights),
    "batch_normalization": Kind(1, 1, _same, _vectors(["mean", "variance"], ["scale", "offset"])),
    "normalization": Kind(1, 1, _same, _vectors(["mean", "variance"])),
    "layer_normalization": Kind(1, 1, _same, _vectors([], ["scale", "offset"])),
    "add": Kind(2, _MANY, _one_shape, _no_weights),
    "multiply": Kind(2, _MANY, _one_shape, _no_weights),
    "concatenate": Kind(2, _MANY, _side_by_side, _no_weights),
    "embedding": Kind(1, 1, _embedding, _embedding_weights),
    "slice": Kind(1, 1, _slice, _no_weights),
}


def _invalid(field: str, problem: str = "", *, got: object = "", expected: object = "") -> NumbatchError:
    return error(Reason.MODEL_INVALID, problem, field=field, got=got, expected=expected)

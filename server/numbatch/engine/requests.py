"""What is asked of a model -> what its plan needs to know, or a clear refusal: past these checks, code assumes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from numbatch.engine.specs import ArraySpec
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text

_FLOAT32, _INT32 = np.dtype(np.float32), np.dtype(np.int32)
_INTEGERS = (_INT32, np.dtype(np.int64))


class RequestRows:
    """Makes one array of what a request brings: a row for each example, with its inputs one after the other.

    Row numbers stand in it as the bits of a float32. Of a model with a single input of float32 it is that.

    Parameters
    ----------
    inputs : sequence of ArraySpec
        The model's inputs.
    vocabularies : mapping of str to int
        Of those that are row numbers: how many rows there are.

    Attributes
    ----------
    elements : int
        The elements of a row.
    plain : bool
        Whether there is a single input, and it is float32.
    """

    def __init__(self, inputs: Sequence[ArraySpec], vocabularies: Mapping[str, int]) -> None:
        self._inputs = tuple(inputs)
        self._vocabularies = vocabularies
        self.elements = sum(spec.elements for spec in inputs)
        self.plain = len(inputs) == 1 and not inputs[0].integer

    def of(self, inputs: Mapping[str, Array]) -> tuple[Array, int, tuple[int, ...]]:
        """Check what a request brings, and return it as one array.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            By input name; for a model with one input the name may be "".

        Returns
        -------
        x : ndarray of float32
            Row-major.
        rows : int
            Its examples: the product of the batch axes.
        axes : tuple of int
            The batch axes, to be put before those of the outputs.

        Raises
        ------
        InvalidArgumentError
            UNKNOWN_INPUT, DUPLICATE_INPUT, MISSING_INPUT, DATA_TYPE_MISMATCH, SHAPE_MISMATCH, EMPTY_BATCH or
            INDEX_OUT_OF_RANGE.
        """
        if len(self._inputs) == 1:
            spec = self._inputs[0]
            x = _only(inputs, spec)
            rows, axes = _batch(x, spec, 0)
            x = self._elements(x, spec, 0)
            return x if x.flags.c_contiguous else np.ascontiguousarray(x), rows, axes
        given = self._by_input(inputs)
        rows, axes = _batch(given[0][1], self._inputs[0], given[0][0])
        matrix = np.empty((rows, self.elements), np.float32)
        column = 0
        for spec, (position, x) in zip(self._inputs, given, strict=True):
            _, own = _batch(x, spec, position)
            if own != axes:
                field, first = f"inputs[{position}].shape", f"{self._inputs[0].name!r}, {shape_text(axes)}"
                expected = f"the batch axes of {first}"
                raise error(Reason.SHAPE_MISMATCH, field=field, got=f"batch axes {shape_text(own)}", expected=expected)
            elements = self._elements(x, spec, position).reshape(rows, spec.elements)
            matrix[:, column : column + spec.elements] = elements
            column += spec.elements
        return matrix, rows, axes

    def _by_input(self, inputs: Mapping[str, Array]) -> list[tuple[int, Array]]:
        """Return the arrays in the order of the model's inputs, with their positions in the request."""
        known = [spec.name for spec in self._inputs]
        given = {name: (position, x) for position, (name, x) in enumerate(inputs.items())}
        for name, (position, _) in given.items():
            if name not in known:
                field, expected = f"inputs[{position}].name", "one of " + ", ".join(map(repr, known))
                raise error(Reason.UNKNOWN_INPUT, "no such input", field=field, got=repr(name), expected=expected)
        missing = [name for name in known if name not in given]
        if missing:
            got, expected = ", ".join(map(repr, given)) or "no tensor", ", ".join(map(repr, known))
            raise error(Reason.MISSING_INPUT, field="inputs", got=got, expected=expected)
        return [given[name] for name in known]

    def _elements(self, x: Array, spec: ArraySpec, position: int) -> Array:
        """Return the elements of an input as those of float32: integers rounded to it, row numbers as their bits."""
        if spec.integer:
            return self._row_numbers(x, spec, position).view(np.float32)
        if x.dtype is _FLOAT32 or x.dtype == _FLOAT32:
            return x
        if x.dtype in _INTEGERS:
            return x.astype(np.float32)
        raise _type_error(x, position, "float32, or int32 or int64, which are rounded to it")

    def _row_numbers(self, x: Array, spec: ArraySpec, position: int) -> Array:
        if x.dtype not in _INTEGERS:
            raise _type_error(x, position, "int32 or int64: row numbers of a lookup table")
        end = self._vocabularies[spec.name]
        if x.min() < 0 or x.max() >= end:
            wrong = (x < 0) | (x >= end)
            place = tuple(int(i) for i in np.unravel_index(np.argmax(wrong), x.shape))
            index = ", ".join(map(str, place))
            raise error(
                Reason.INDEX_OUT_OF_RANGE,
                f"row number of input {spec.name!r}",
                field=f"inputs[{position}].data[{index}]",
                got=x[place],
                expected=f"0 to {end - 1}",
            )
        return np.ascontiguousarray(x, np.int32)


def check_layers(layers: Sequence[str], known: Mapping[str, ArraySpec]) -> list[ArraySpec]:
    """Return the layers that a request names, in its order.

    Raises
    ------
    InvalidArgumentError
        UNKNOWN_LAYER or DUPLICATE_LAYER.
    """
    chosen: dict[str, ArraySpec] = {}
    for position, name in enumerate(layers):
        field = f"layers[{position}]"
        if name not in known:
            expected = "one of " + ", ".join(known)
            raise error(Reason.UNKNOWN_LAYER, "no such layer", field=field, got=repr(name), expected=expected)
        if name in chosen:
            raise error(Reason.DUPLICATE_LAYER, field=field, got=f"{name!r} again", expected="each layer once")
        chosen[name] = known[name]
    return list(chosen.values())


def _only(inputs: Mapping[str, Array], spec: ArraySpec) -> Array:
    for position, name in enumerate(inputs):
        if name not in ("", spec.name):
            field = f"inputs[{position}].name"
            raise error(Reason.UNKNOWN_INPUT, "no such input", field=field, got=repr(name), expected=repr(spec.name))
    if len(inputs) > 1:
        raise error(Reason.DUPLICATE_INPUT, field="inputs", got=len(inputs), expected=f"one tensor, {spec.name!r}")
    if not inputs:
        raise error(Reason.MISSING_INPUT, field="inputs", got="no tensor", expected=repr(spec.name))
    (x,) = inputs.values()
    return x


def _batch(x: Array, spec: ArraySpec, position: int) -> tuple[int, tuple[int, ...]]:
    """Check the shape of an input; return its examples and its batch axes."""
    shape = x.shape
    split = len(shape) - len(spec.shape)
    if split < 0 or shape[split:] != spec.shape:
        problem, field = "rank too low" if split < 0 else "", f"inputs[{position}].shape"
        expected = shape_text(spec.shape, batch=True)
        raise error(Reason.SHAPE_MISMATCH, problem, field=field, got=shape_text(shape), expected=expected)
    axes = shape[:split]
    rows = math.prod(axes)
    if rows == 0:
        got, expected = shape_text(shape), "batch axes of 1 or more"
        raise error(Reason.EMPTY_BATCH, "no rows", field=f"inputs[{position}].shape", got=got, expected=expected)
    return rows, axes


def _type_error(x: Array, position: int, expected: str) -> Exception:
    field = f"inputs[{position}].data_type"
    return error(Reason.DATA_TYPE_MISMATCH, field=field, got=x.dtype, expected=expected)

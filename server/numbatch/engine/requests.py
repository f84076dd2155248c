"""What is asked of a model -> what its plan needs to know, or a clear refusal: past these checks, code assumes."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from numbatch.engine.specs import ArraySpec
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text

_FLOAT32, _INT32, _INT64 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int64)

Axes = tuple[int, ...]
Inputs = Mapping[str, Array]


class _Input(NamedTuple):
    """An input, its columns in a row, and, of row numbers, how many rows there are for each place of the last axis."""

    spec: ArraySpec
    start: int
    stop: int
    ends: Array


class RequestRows:
    """Makes one array of what a request brings: a row for each example, with its inputs one after the other.

    Row numbers stand in it as the bits of a float32. Of a model with a single input of float32 it is that.

    Parameters
    ----------
    inputs : sequence of ArraySpec
        The model's inputs.
    columns : mapping of str to int
        Where each begins in a row; those of row numbers come after all others.
    vocabularies : mapping of str to sequence of int
        Of those that are row numbers: how many rows there are, for each place of the last axis.

    Attributes
    ----------
    elements : int
        The elements of a row.
    plain : bool
        Whether there is a single input, and it is float32.
    """

    def __init__(
        self, inputs: Sequence[ArraySpec], columns: Mapping[str, int], vocabularies: Mapping[str, Sequence[int]]
    ) -> None:
        self._inputs = []
        for spec in inputs:
            start, ends = columns[spec.name], np.array(vocabularies.get(spec.name, ()), np.int64)
            self._inputs.append(_Input(spec, start, start + spec.elements, ends))
        self._names = {spec.name for spec in inputs}
        self.elements = sum(spec.elements for spec in inputs)
        self.plain = len(inputs) == 1 and not inputs[0].integer
        # For each column of row numbers, how many rows there are: one comparison checks all of them.
        numbers = sorted((each for each in self._inputs if each.spec.integer), key=lambda each: each.start)
        limits = [np.broadcast_to(each.ends, each.spec.shape).reshape(-1) for each in numbers]
        self._ends = np.concatenate([np.zeros(0), *limits]).astype(np.uint32)

    def of(self, inputs: Inputs) -> tuple[Array, int, Axes]:
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
        return self._single(inputs) if len(self._inputs) == 1 else self._several(inputs)

    def _single(self, inputs: Inputs) -> tuple[Array, int, Axes]:
        spec = self._inputs[0].spec
        x = _only(inputs, spec)
        axes = _batch_axes(x, spec, inputs)
        rows = _rows(axes, x, spec, inputs)
        if not spec.integer:
            x = _as_float32(x, spec, inputs)
            return x if x.flags.c_contiguous else np.ascontiguousarray(x), rows, axes
        numbers = np.ascontiguousarray(_as_int32(x, self._inputs[0], inputs))
        self._check_numbers(numbers.reshape(rows, self.elements), inputs)
        return numbers.view(np.float32), rows, axes

    def _several(self, inputs: Inputs) -> tuple[Array, int, Axes]:
        if inputs.keys() != self._names:
            raise self._wrong_names(inputs)
        first = self._inputs[0].spec
        axes = _batch_axes(inputs[first.name], first, inputs)
        rows = _rows(axes, inputs[first.name], first, inputs)
        matrix = np.empty((rows, self.elements), np.float32)
        numbers = matrix.view(np.int32)
        for one in self._inputs:
            spec, start, stop, _ = one
            x = inputs[spec.name]
            own = _batch_axes(x, spec, inputs)
            if own != axes:
                field, got = f"{_field(spec, inputs)}.shape", f"batch axes {shape_text(own)}"
                expected = f"the batch axes of {first.name!r}, {shape_text(axes)}"
                raise error(Reason.SHAPE_MISMATCH, field=field, got=got, expected=expected)
            if spec.integer:
                numbers[:, start:stop] = _as_int32(x, one, inputs).reshape(rows, stop - start)
            else:
                matrix[:, start:stop] = _as_float32(x, spec, inputs).reshape(rows, stop - start)
        if len(self._ends):
            self._check_numbers(numbers[:, self.elements - len(self._ends) :], inputs)
        return matrix, rows, axes

    def _check_numbers(self, numbers: Array, inputs: Inputs) -> None:
        """Check all row numbers of all inputs; without their sign, negative ones are beyond every table."""
        if (numbers.view(np.uint32) >= self._ends).any():
            for one in self._inputs:
                if one.spec.integer:
                    _check_range(_given(one.spec, inputs), one, inputs)

    def _wrong_names(self, inputs: Inputs) -> NumbatchError:
        known = [each.spec.name for each in self._inputs]
        if "" in inputs:
            expected = f"a mapping with arrays for {', '.join(map(repr, known))}"
            return error(Reason.MISSING_INPUT, field="inputs", got="an array without a name", expected=expected)
        for position, name in enumerate(inputs):
            if name not in known:
                field, expected = f"inputs[{position}].name", "one of " + ", ".join(map(repr, known))
                return error(Reason.UNKNOWN_INPUT, "no such input", field=field, got=repr(name), expected=expected)
        got, expected = ", ".join(map(repr, inputs)) or "no tensor", ", ".join(map(repr, known))
        return error(Reason.MISSING_INPUT, field="inputs", got=got, expected=expected)


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


def _only(inputs: Inputs, spec: ArraySpec) -> Array:
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


def _given(spec: ArraySpec, inputs: Inputs) -> Array:
    return inputs[spec.name if spec.name in inputs else ""]


def _field(spec: ArraySpec, inputs: Inputs) -> str:
    """Return the path of an input in the request, for errors."""
    names = list(inputs)
    return f"inputs[{names.index(spec.name) if spec.name in names else 0}]"


def _batch_axes(x: Array, spec: ArraySpec, inputs: Inputs) -> Axes:
    shape = x.shape
    split = len(shape) - len(spec.shape)
    if split < 0 or shape[split:] != spec.shape:
        problem, field = "rank too low" if split < 0 else "", f"{_field(spec, inputs)}.shape"
        expected = shape_text(spec.shape, batch=True)
        raise error(Reason.SHAPE_MISMATCH, problem, field=field, got=shape_text(shape), expected=expected)
    return shape[:split]


def _rows(axes: Axes, x: Array, spec: ArraySpec, inputs: Inputs) -> int:
    rows = math.prod(axes)
    if rows == 0:
        field, got, expected = f"{_field(spec, inputs)}.shape", shape_text(x.shape), "batch axes of 1 or more"
        raise error(Reason.EMPTY_BATCH, "no rows", field=field, got=got, expected=expected)
    return rows


def _as_float32(x: Array, spec: ArraySpec, inputs: Inputs) -> Array:
    if x.dtype is _FLOAT32 or x.dtype == _FLOAT32:
        return x
    if x.dtype in (_INT32, _INT64):
        return x.astype(np.float32)
    raise _wrong_type(x, spec, inputs, "float32, or int32 or int64, which are rounded to it")


def _as_int32(x: Array, one: _Input, inputs: Inputs) -> Array:
    if x.dtype is _INT32 or x.dtype == _INT32:
        return x
    if x.dtype == _INT64:
        _check_range(x, one, inputs)
        return x.astype(np.int32)
    raise _wrong_type(x, one.spec, inputs, "int32 or int64: row numbers of a lookup table")


def _check_range(x: Array, one: _Input, inputs: Inputs) -> None:
    wrong = (x < 0) | (x >= one.ends)
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.unravel_index(np.argmax(wrong), x.shape))
    raise error(
        Reason.INDEX_OUT_OF_RANGE,
        f"row number of input {one.spec.name!r}",
        field=f"{_field(one.spec, inputs)}.data[{', '.join(map(str, place))}]",
        got=x[place],
        expected=f"0 to {one.ends[place[-1]] - 1}",
    )


def _wrong_type(x: Array, spec: ArraySpec, inputs: Inputs, expected: str) -> NumbatchError:
    field = f"{_field(spec, inputs)}.data_type"
    return error(Reason.DATA_TYPE_MISMATCH, field=field, got=x.dtype, expected=expected)

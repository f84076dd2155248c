"""Rows that a caller brings to try a model with: of the types and shapes that its inputs take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from numbatch.v1.model_pb2 import Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, as_float32, as_numbers, shape_text


@dataclass(frozen=True)
class GivenRows:
    """Rows by input name; as many of each."""

    arrays: Mapping[str, Array]

    @classmethod
    def of(cls, model: Model, inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike]) -> Self:
        """Return the rows, checked.

        Raises
        ------
        InvalidArgumentError
            MISSING_INPUT, UNKNOWN_INPUT, SHAPE_MISMATCH or DATA_TYPE_MISMATCH.
        """
        names = [spec.name for spec in model.inputs]
        given = inputs if isinstance(inputs, Mapping) else {names[0]: inputs}
        for name in given:
            if name not in names:
                raise error(Reason.UNKNOWN_INPUT, field="inputs", got=repr(name), expected=", ".join(names))
        arrays = {}
        for spec in model.inputs:
            if spec.name not in given:
                raise error(Reason.MISSING_INPUT, field="inputs", got=", ".join(given), expected=repr(spec.name))
            as_array = _row_numbers if spec.data_type == DATA_TYPE_INT32 else as_float32
            array = as_array(given[spec.name], spec.name)
            if array.shape[1:] != tuple(spec.shape) or not array.ndim:
                expected = f"[rows, {', '.join(map(str, spec.shape))}]"
                raise error(Reason.SHAPE_MISMATCH, field=spec.name, got=shape_text(array.shape), expected=expected)
            arrays[spec.name] = array
        if len({len(array) for array in arrays.values()}) > 1 or not len(next(iter(arrays.values()))):
            got = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
            raise error(Reason.SHAPE_MISMATCH, "rows", field="inputs", got=got, expected="as many of each, 1 or more")
        return cls(arrays)

    def minibatches(self, batch_size: int) -> Iterator[dict[str, Array]]:
        """Yield slices of the arrays."""
        rows = len(next(iter(self.arrays.values())))
        for start in range(0, rows, batch_size):
            yield {name: array[start : start + batch_size] for name, array in self.arrays.items()}


def _row_numbers(x: npt.ArrayLike, field: str) -> Array:
    numbers = as_numbers(x, field)
    if numbers.dtype.kind != "i":
        raise error(Reason.DATA_TYPE_MISMATCH, field=field, got=f"dtype {np.asarray(x).dtype}", expected="integers")
    return numbers

"""The elements of stored arrays, as PyTorch and safetensors name their types."""

import numpy as np

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

_DTYPES = {
    **{name: np.dtype(name) for name in ("bool", "uint8", "int8")},
    **{name: np.dtype(name).newbyteorder("<") for name in ("int16", "int32", "int64", "float16", "float32", "float64")},
}


def read_elements(data: bytes | bytearray, data_type: str, field: str) -> Array:
    """Return elements of a type ("float32", also "bfloat16", which becomes float32) as an array of one axis.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, if NumPy has no such type.
    """
    if data_type == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    if data_type not in _DTYPES:
        raise error(Reason.DATA_TYPE_MISMATCH, field=field, got=data_type, expected=", ".join(_DTYPES))
    return np.frombuffer(data, _DTYPES[data_type])

"""The two messages of the Open Inference Protocol that peers are asked with, written and read by hand.

ModelInferRequest: 1 model_name, 3 id, 5 inputs (1 name, 2 datatype, 3 shape), 7 raw_input_contents.
ModelInferResponse: 5 outputs, 6 raw_output_contents.
"""

import numpy as np

from benchmarks.grid import Array
from numbatch.wire.varints import field_head, read_varint, varint

_RAW_OUTPUT_CONTENTS = 6


def request(model: str, x: Array) -> bytes:
    """Return a ModelInferRequest with the array as its raw contents."""
    shape = b"".join(map(varint, x.shape))
    tensor = _field(1, b"x") + _field(2, b"FP32") + _field(3, shape)
    return _field(1, model.encode()) + _field(3, b"1") + _field(5, tensor) + _field(7, x.tobytes())


def outputs(message: bytes) -> Array:
    """Return the float32 numbers of the first output of a ModelInferResponse, in one row."""
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        if tag & 7 != 2:
            raise ValueError(f"field {tag >> 3} has wire type {tag & 7}; this reader knows lengths only")
        length, position = read_varint(message, position)
        if tag >> 3 == _RAW_OUTPUT_CONTENTS:
            return np.frombuffer(message, "<f4", length // 4, position)
        position += length
    raise ValueError(f"an answer without raw contents: {message[:200]!r}")


def _field(number: int, content: bytes) -> bytes:
    return field_head(number, len(content)) + content

"""Writing a safetensors file: a length, a JSON object that says what lies where, and the tensors' bytes."""

import json
from collections.abc import Mapping
from pathlib import Path

from numbatch.wire.tensors import Float32Array, array_bytes

# The tensors begin at a multiple of this; the JSON object is filled up with spaces.
_ALIGNMENT = 8


def write_safetensors(tensors: Mapping[str, Float32Array], path: Path) -> None:
    """Write float32 arrays by name into a new file, in their order."""
    header, end = {}, 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in tensors.values():
            file.write(array_bytes(array))

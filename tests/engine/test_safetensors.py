"""Weights in safetensors files that are not what they say."""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from numbatch.engine import load_model, validate_model
from numbatch.engine.safetensors_file import NotSafetensorsError, open_safetensors
from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import Constant
from numbatch.v1.model_pb2 import Model, WeightsReference
from numbatch.wire.errors import ModelError, NumbatchError
from numbatch.wire.models import array_of
from numbatch.wire.reasons import Reason

W = np.arange(12, dtype=np.float32).reshape(4, 3)


def model_of(folder: Path, *, sha256: bytes = b"") -> Path:
    """Write a model whose kernel is the tensor "w" of weights.safetensors, and that file."""
    model = Sequential([Input((4,)), Dense(3, kernel_initializer=Constant(W))]).to_message("net")
    model.layers[0].dense.kernel.reference.CopyFrom(
        WeightsReference(file="weights.safetensors", tensor_name="w", sha256=sha256)
    )
    (folder / "model.binpb").write_bytes(model.SerializeToString())
    save_file({"other": np.ones((2, 2), np.float64), "w": W}, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def written(folder: Path, header: Any, data: bytes = W.tobytes(), length: int | None = None) -> Path:
    """Write a safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    file, tensors = open_safetensors(model_of(tmp_path))
    assert {name: (place.data_type, place.shape) for name, place in tensors.items()} == {
        "w": ("F32", [4, 3]),
        "other": ("F64", [2, 2]),
    }
    np.testing.assert_array_equal(file.read_floats(tensors["w"].at, (4, 3)), W)


@pytest.mark.parametrize(
    ("header", "length", "problem"),
    [
        ({}, 2**63, "a header of 9223372036854775808 bytes"),
        ({}, 2**24 + 1, "a header of 16777217 bytes"),
        ({}, 10_000, "are fewer than its header has"),
        (b"{", None, "no JSON"),
        (b"[" * 100_000, None, "no JSON"),
        (b"[]", None, "no JSON object"),
        (b"\xff\xfe", None, "no JSON"),
        ({"w": entry([4, 3], 0, 52)}, None, "tensor 'w' ends at byte"),
        ({"w": entry([4, 3], 0, 2**62)}, None, "tensor 'w' ends at byte"),
        ({"w": entry([4, 3], 48, 0)}, None, "tensor 'w' ends at byte"),
        ({"w": entry([4, 3], -4, 44)}, None, "has a number that is none"),
        ({"w": entry([4, 3], 0, 44)}, None, "its tensors end at byte"),  # something follows
        ({}, None, "its tensors end at byte"),
        ({"w": {"dtype": "F32", "shape": [4, 3]}}, None, "is malformed"),
        ({"w": {"dtype": "F32", "shape": 12, "data_offsets": [0, 48]}}, None, "is malformed"),
        ({"w": {"dtype": "F32", "shape": [4.0, 3], "data_offsets": [0, 48]}}, None, "has a number that is none"),
        ({"w": [0, 48]}, None, "is malformed"),
    ],
)
def test_a_header_that_lies_is_refused(header: Any, length: int | None, problem: str, tmp_path: Path) -> None:
    model_of(tmp_path)
    with pytest.raises(NotSafetensorsError, match=problem):
        open_safetensors(written(tmp_path, header, length=length))
    with pytest.raises(NumbatchError) as refused:
        load_model(tmp_path)
    assert refused.value.reason is Reason.WEIGHTS_CORRUPT
    assert refused.value.field == "model.layers[0].dense.kernel.reference.file"


@pytest.mark.parametrize(
    ("place", "got"),
    [
        (entry([3, 4], 0, 48), r"F32 \[3, 4\] in 48 bytes"),
        (entry([12], 0, 48), r"F32 \[12\] in 48 bytes"),
        (entry([4, 3], 0, 48, "I32"), r"I32 \[4, 3\] in 48 bytes"),
        (entry([4, 3], 24, 48), r"F32 \[4, 3\] in 24 bytes"),  # fewer than its shape needs
        (entry([2**40, 2**40], 0, 48), r"F32 \[1099511627776, 1099511627776\] in 48 bytes"),
        (entry([2**62] * 1000, 0, 48), r"F32 \[4611686018427387904, "),
    ],
)
def test_a_tensor_of_another_shape_is_refused_before_anything_is_allocated(
    place: dict[str, Any], got: str, tmp_path: Path
) -> None:
    model_of(tmp_path)
    written(tmp_path, {"w": place})
    with pytest.raises(NumbatchError, match=f"tensor 'w': got {got}") as refused:
        load_model(tmp_path)
    assert refused.value.reason is Reason.WEIGHTS_MISMATCH
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("sixteenth", range(16))
def test_a_file_cut_at_any_place_is_refused(sixteenth: int, tmp_path: Path) -> None:
    file = model_of(tmp_path)
    os.truncate(file, file.stat().st_size * sixteenth // 16)
    with pytest.raises(NumbatchError) as refused:
        load_model(tmp_path)
    assert refused.value.reason is Reason.WEIGHTS_CORRUPT


def test_with_a_checksum_every_bit_counts(tmp_path: Path) -> None:
    file = model_of(tmp_path, sha256=hashlib.sha256(W.tobytes()).digest())
    whole = file.read_bytes()
    validate_model(tmp_path)
    _, tensors = open_safetensors(file)
    for place in range(tensors["w"].at, tensors["w"].at + W.nbytes):
        for bit in (0, 7):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            file.write_bytes(data)
            with pytest.raises(NumbatchError, match="tensor 'w' changed"):
                validate_model(tmp_path)


def test_a_bit_that_is_flipped_in_the_header_is_no_crash(tmp_path: Path) -> None:
    file = model_of(tmp_path)
    whole = file.read_bytes()
    for place in range(len(whole) - W.nbytes - 32):
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            file.write_bytes(data)
            try:
                validate_model(tmp_path)  # spaces, or the other tensor's name
            except ModelError as refused:
                assert refused.reason in (Reason.WEIGHTS_CORRUPT, Reason.WEIGHTS_MISMATCH)


def test_a_checksum_is_of_the_whole_tensor_also_where_it_is_read_in_parts(tmp_path: Path) -> None:
    kernel = np.random.default_rng(5).standard_normal((3000, 400), np.float32)
    model = Sequential([Input((3000,)), Dense(400, kernel_initializer=Constant(kernel))]).to_message("net")
    expected = array_of(model.layers[0].dense.kernel)
    save_file({"w": kernel}, tmp_path / "weights.safetensors")
    for digest, reason in ((hashlib.sha256(kernel.tobytes()).digest(), None), (b"0" * 32, Reason.WEIGHTS_CORRUPT)):
        reference = WeightsReference(file="weights.safetensors", tensor_name="w", sha256=digest)
        model.layers[0].dense.kernel.reference.CopyFrom(reference)
        (tmp_path / "model.binpb").write_bytes(model.SerializeToString())
        if reason is None:
            returned: Model = load_model(tmp_path).message()
            np.testing.assert_array_equal(array_of(returned.layers[0].dense.kernel), expected)
        else:
            with pytest.raises(NumbatchError) as refused:
                load_model(tmp_path)
            assert refused.value.reason is reason

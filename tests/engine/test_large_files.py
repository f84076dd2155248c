"""Model files whose weights are left where they are, until they are packed."""

import os
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from numbatch.engine import load_model, read_model
from numbatch.engine.binary_file import BinaryFile
from numbatch.engine.files import LARGE_FILE_BYTES, open_model_file
from numbatch.engine.graph import build_graph
from numbatch.engine.large_files import MalformedError, UnusualError, without_weights
from numbatch.engine.validation import open_model, read_weights
from numbatch.models import Activation, Dense, Input, Sequential
from numbatch.v1.model_pb2 import Layer, Model, Weights
from numbatch.wire.errors import ModelError, NumbatchError
from numbatch.wire.models import array_of, set_weights
from numbatch.wire.reasons import Reason


def large(seed: int = 0) -> Model:
    """More than a mebibyte: kernels and biases that are left in the file, and some that are not."""
    layers = [Dense(700, "relu"), Activation("tanh"), Dense(1100), Dense(3)]
    model = Sequential([Input((300,)), *layers], seed=seed).to_message("large")
    bias = np.arange(1100, dtype=np.float32)
    set_weights(model.layers[2], array_of(model.layers[2].dense.kernel), bias)
    model.metadata["origin"] = "a test"
    return model


LARGE = large()
WHOLE = LARGE.SerializeToString()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "model.binpb").write_bytes(WHOLE)
    return tmp_path / "model.binpb"


def test_what_is_left_in_the_file_is_where_it_is_said_to_be(file: Path) -> None:
    model, opened, extents = open_model_file(file)
    assert opened is not None
    assert set(extents) == {
        "model.layers[0].dense.kernel",
        "model.layers[2].dense.kernel",
        "model.layers[2].dense.bias",
        "model.layers[3].dense.kernel",
    }
    assert model.ByteSize() < 20_000 < LARGE_FILE_BYTES < len(WHOLE)
    for path, extent in extents.items():
        layer, array = int(path[len("model.layers[")]), path.rpartition(".")[2]
        weights: Weights = getattr(model.layers[layer].dense, array)
        assert weights.WhichOneof("source") is None
        weights.data = opened.read(extent.at, extent.size)
    assert model == LARGE == read_model(file)


def test_the_model_is_the_same_as_from_its_message(file: Path) -> None:
    x = np.random.default_rng(3).standard_normal((5, 300), np.float32)
    for precision in ("f32", "bf16"):
        from_file = load_model(file, weights_precision=precision)
        from_message = load_model(LARGE, weights_precision=precision)
        np.testing.assert_array_equal(from_file.infer(x), from_message.infer(x))
        assert from_file.message() == from_message.message()


def test_a_file_that_is_written_anew_meanwhile_is_read_as_it_was(file: Path) -> None:
    model, opened, extents = open_model_file(file)
    new = file.with_name("new")
    new.write_bytes(large(seed=1).SerializeToString())
    new.rename(file)
    extent = extents["model.layers[0].dense.kernel"]
    assert opened is not None
    assert opened.read(extent.at, extent.size) == LARGE.layers[0].dense.kernel.data
    assert model.name == "large"


@pytest.mark.parametrize("twice", ["layer", "dense", "weights"])
def test_what_no_serializer_writes_is_parsed_as_a_whole(twice: str, file: Path) -> None:
    first, second = LARGE.layers[0], large(seed=1).layers[0]
    if twice == "layer":  # two kinds, of which the last one counts
        layer = Layer(name="a", dense=second.dense).SerializeToString() + first.SerializeToString()
    elif twice == "dense":  # a kernel in two parts, which are merged
        both = second.dense.SerializeToString() + first.dense.SerializeToString()
        layer = b"\x0a\x01a" + b"\x1a" + _varint(len(both)) + both
    else:  # two sources, of which the last one counts
        weights = second.dense.kernel.SerializeToString() + first.dense.kernel.SerializeToString()
        inside = b"\x08\xbc\x05\x12" + _varint(len(weights)) + weights
        layer = b"\x0a\x01a" + b"\x1a" + _varint(len(inside)) + inside
    data = WHOLE + b"\x22" + _varint(len(layer)) + layer
    file.write_bytes(data)
    with pytest.raises(UnusualError):
        without_weights(BinaryFile(file))
    model, opened, extents = open_model_file(file)
    assert (model, opened, extents) == (Model.FromString(data), None, {})


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


@pytest.mark.parametrize("sixteenth", range(16))
def test_a_file_cut_at_any_place_is_refused(sixteenth: int, file: Path) -> None:
    os.truncate(file, len(WHOLE) * sixteenth // 16)
    with pytest.raises(NumbatchError) as refused:
        load_model(file)
    assert refused.value.reason is Reason.MODEL_CORRUPT


def test_a_file_cut_while_it_is_read_is_refused(file: Path) -> None:
    model, reader = open_model(file)
    parts = read_weights(build_graph(model), reader)
    next(parts)
    os.truncate(file, len(WHOLE) // 2)
    with pytest.raises(NumbatchError, match="the file was cut short while it was read") as refused:
        list(parts)
    assert refused.value.reason is Reason.WEIGHTS_CORRUPT


# Not in the weights: another finite weight is another model, and only a checksum could tell.
HEADERS = [place for place in range(len(WHOLE)) if not 60 < place < len(WHOLE) - 120]


@given(place=st.sampled_from(HEADERS), bit=st.integers(0, 7))
def test_a_bit_that_is_flipped_in_the_description_is_no_crash(place: int, bit: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    descriptor = os.memfd_create("model.binpb")
    os.write(descriptor, data)
    path = Path(f"/proc/self/fd/{descriptor}")
    try:
        read = open_model_file(path).model
    except ModelError as refused:
        assert refused.reason is Reason.MODEL_CORRUPT
        read = None
    finally:
        os.close(descriptor)
    # As the parser of protobuf has it, weights apart.
    try:
        parsed = Model.FromString(bytes(data))
    except Exception:
        assert read is None
    else:
        assert read is not None
        assert [layer.name for layer in read.layers] == [layer.name for layer in parsed.layers]
        assert (read.name, read.metadata, read.outputs) == (parsed.name, parsed.metadata, parsed.outputs)


@pytest.mark.parametrize(
    "data",
    [
        b"\x22" + _varint(2**62) + bytes(2**20),  # a layer longer than the file
        b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(2**20),  # a length without an end
        bytes(2**20),  # fields without a number
        b"\x07" * 2**20,  # no such wire type
    ],
)
def test_a_length_that_lies_is_found_before_anything_is_allocated_for_it(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    with pytest.raises((MalformedError, UnusualError)):
        without_weights(BinaryFile(file))
    with pytest.raises(NumbatchError) as refused:
        load_model(file)
    assert refused.value.reason is Reason.MODEL_CORRUPT


def test_a_shape_that_lies_is_found_before_anything_is_allocated_for_it(file: Path) -> None:
    model = large()
    model.inputs[0].shape[:] = [2**20]
    model.layers[0].dense.kernel.shape[:] = [2**20, 700]
    file.write_bytes(model.SerializeToString())
    with pytest.raises(NumbatchError, match=r"kernel\.data: got 840000 bytes, expected 2936012800 bytes"):
        load_model(file)


def test_weights_that_are_not_finite_are_named_by_their_place(file: Path) -> None:
    model = Sequential([Input((3000,)), Dense(400)], seed=1).to_message("large")  # more than is read at a time
    kernel = array_of(model.layers[0].dense.kernel).copy()
    kernel[2901, 7] = np.inf
    set_weights(model.layers[0], kernel)
    file.write_bytes(model.SerializeToString())
    with pytest.raises(NumbatchError, match=r"kernel\[2901, 7\]: got inf, expected finite numbers"):
        load_model(file)
    kernel[2901, 7] = 3.4e38
    set_weights(model.layers[0], kernel)
    file.write_bytes(model.SerializeToString())
    with pytest.raises(NumbatchError, match=r"kernel\[2901, 7\]: an infinity once rounded to bf16"):
        load_model(file, weights_precision="bf16")


def test_large_text_is_read_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "model.txtpb").write_text(text_format.MessageToString(LARGE))
    model, opened, _ = open_model_file(tmp_path)
    assert (model, opened) == (LARGE, None)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.binpb")
    with pytest.raises(NumbatchError, match="no model file"):
        load_model(tmp_path)
    with pytest.raises(OSError, match="is no file"):
        BinaryFile(tmp_path / "model.binpb")

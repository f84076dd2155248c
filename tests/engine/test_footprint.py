"""What a model takes in memory, known beforehand."""

from pathlib import Path

import pytest
from google.protobuf import text_format

from numbatch.engine import footprint, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import ModelError

MIB = 2**20


def model() -> Model:
    return Sequential([Input((800,)), Dense(900, "relu"), Dense(700)], seed=1).to_message("net")


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_what_is_held_is_the_packed_weights_and_some_scratch_memory(precision: str, tmp_path: Path) -> None:
    packed = load_model(model(), weights_precision=precision).summary.packed_bytes
    (tmp_path / "model.binpb").write_bytes(model().SerializeToString())
    for source in (model(), tmp_path):
        held = footprint(source, weights_precision=precision).held_bytes
        assert packed <= held < packed + 4 * MIB


def test_a_large_file_takes_little_beside_its_weights_and_one_that_is_read_whole_takes_more(tmp_path: Path) -> None:
    binary, text = tmp_path / "model.binpb", tmp_path / "model.txtpb"
    binary.write_bytes(model().SerializeToString())
    text.write_text(text_format.MessageToString(model()))
    beside = footprint(binary).transient_bytes
    assert beside < 17 * MIB
    assert footprint(model()).transient_bytes > beside + model().ByteSize()
    assert footprint(text).transient_bytes > beside + 4 * text.stat().st_size


def test_what_can_only_be_read_whole_is_not_read_if_there_is_no_room(tmp_path: Path) -> None:
    text = tmp_path / "model.txtpb"
    text.write_text("this is no model\n" * 100_000)
    needed = footprint(text, room_bytes=10 * MIB)
    assert needed.peak_bytes > 10 * MIB
    with pytest.raises(ModelError):  # with room, it is
        footprint(text, room_bytes=100 * MIB)

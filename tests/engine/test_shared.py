"""Models whose weights are shared: the same bits, one file, and nothing left."""

import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.engine import shared as module
from numbatch.engine.shared import SharedModels
from numbatch.kernels.arena import mapped_file
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import InvalidModelError, NumbatchError
from support.server import write_model

ROWS = np.random.default_rng(3).standard_normal((29, 70)).astype(np.float32)


def network(seed: int = 1) -> Model:
    layers = [Dense(130, "relu"), Dense(5, "tanh", use_bias=False, name="narrow"), Dense(33, "softmax")]
    return Sequential([Input((70,)), *layers], seed=seed).to_message("net")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


@pytest.fixture
def share(weights: Path) -> SharedModels:
    return SharedModels(weights, least_bytes=0)


def arenas(weights: Path) -> list[int]:
    return [path.stat().st_ino for path in weights.glob("*/arena")]


def mapped() -> list[int]:
    """Return the inodes of the arenas that this process has mapped, which are only to be read."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("/arena")]
    assert all(line[1] == "r--s" for line in lines)
    return [int(line[4]) for line in lines]


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_mapped_weights_give_the_bits_of_private_ones(share: SharedModels, precision: str) -> None:
    private = load_model(network(), weights_precision=precision)
    for model in (share(network(), weights_precision=precision), share(network(), weights_precision=precision)):
        for rows in (1, 2, 16, 29):
            layers = ["narrow", private.summary.outputs[0]]
            expected, answer = private.infer(ROWS[:rows], layers=layers), model.infer(ROWS[:rows], layers=layers)
            assert {name: array.tobytes() for name, array in answer.items()} == {
                name: array.tobytes() for name, array in expected.items()
            }
        assert model.summary == private.summary
        assert model.message() == private.message()


def test_the_same_model_is_one_file_from_a_folder_or_a_message(
    share: SharedModels, weights: Path, tmp_path: Path
) -> None:
    models = [share(write_model(tmp_path, network()), name="net"), share(network(), name="net")]
    (file,) = arenas(weights)
    assert mapped() == [file, file]
    del models[0]
    assert arenas(weights) == [file]
    models.clear()
    assert (arenas(weights), mapped(), list(weights.iterdir())) == ([], [], [])


def test_another_content_precision_or_name_is_another_file(share: SharedModels, weights: Path) -> None:
    models = [
        share(network()),
        share(network(seed=2)),
        share(network(), weights_precision="bf16"),
        share(network(), name="net"),
    ]
    assert len(set(arenas(weights))) == len(models)


def test_a_file_that_is_replaced_is_another_model(share: SharedModels, tmp_path: Path) -> None:
    folder = write_model(tmp_path, network())
    before = share(folder)
    (folder / "model.binpb").write_bytes(network(seed=2).SerializeToString())
    after = share(folder)
    assert before.infer(ROWS).tobytes() == load_model(network()).infer(ROWS).tobytes()
    assert after.infer(ROWS).tobytes() == load_model(network(seed=2)).infer(ROWS).tobytes()


def test_files_that_change_while_they_are_read_are_read_again(
    share: SharedModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path, network())
    loaded: list[LoadedModel] = []

    def load(*args: object, **kwargs: object) -> LoadedModel:
        if not loaded:
            (folder / "model.binpb").write_bytes(network(seed=2).SerializeToString())
        loaded.append(load_model(*args, **kwargs))  # type: ignore[arg-type]
        return loaded[-1]

    monkeypatch.setattr(module, "load_model", load)
    model = share(folder)
    assert len(loaded) == 2
    assert model.infer(ROWS).tobytes() == load_model(network(seed=2)).infer(ROWS).tobytes()


def test_a_small_model_is_not_shared(weights: Path) -> None:
    model = SharedModels(weights)(network())
    assert (list(weights.iterdir()), mapped()) == ([], [])
    assert model.infer(ROWS).tobytes() == load_model(network()).infer(ROWS).tobytes()


def test_a_bad_model_fails_as_it_does_alone_and_leaves_nothing(share: SharedModels, weights: Path) -> None:
    bad = network()
    bad.layers[1].dense.kernel.data = b"short"
    with pytest.raises(NumbatchError) as alone:
        load_model(bad)
    with pytest.raises(NumbatchError) as refused:
        share(bad)
    assert (str(refused.value), type(refused.value)) == (str(alone.value), type(alone.value))
    with pytest.raises(InvalidModelError):
        share(network(), name="other")
    assert list(weights.iterdir()) == []


def test_without_room_each_process_has_its_own_copy_and_the_log_says_so(
    share: SharedModels, weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with caplog.at_level(logging.WARNING):
        model = share(network(), name="net")
    assert model.infer(ROWS).tobytes() == load_model(network()).infer(ROWS).tobytes()
    assert (arenas(weights), mapped()) == ([], [])
    (message,) = caplog.messages
    assert "model=net" in message and "No space left on device; set runtime_directory" in message


def test_mapped_weights_begin_at_a_huge_page_and_cannot_be_written(weights: Path, share: SharedModels) -> None:
    model = share(network())
    (file,) = weights.glob("*/arena")
    array = mapped_file(file)
    assert array.ctypes.data % (2 * 1024 * 1024) == 0
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    del model
    # The file may go: what is mapped stays, until nobody has it.
    assert list(weights.iterdir()) == []
    assert array.any()

"""Loading one version: again after what may pass, not after what may not, and never more than there is room for."""

import errno
import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from numbatch.engine import LoadedModel, footprint, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.repository.loading import Retries, VersionLoader
from numbatch.repository.memory import MemoryAccount
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import CorruptModelError, InvalidModelError, NumbatchError, OverloadedError
from numbatch.wire.reasons import Reason
from support.closed_folder import close
from support.server import write_model
from support.tiny import tiny_model


class Waits:
    """Stands for the clock: takes note of each wait, and does something meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None, *, stopped: bool = False) -> None:
        self.waited: list[float] = []
        self._meanwhile = meanwhile
        self._stopped = stopped

    def __call__(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self._meanwhile()
        return self._stopped


def loader(waits: Waits, most: int = 3) -> VersionLoader:
    return VersionLoader(retries=Retries(most, 0.5, waits))


def test_a_file_that_comes_a_little_later_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "tiny/1"
    folder.mkdir(parents=True)
    waits = Waits(lambda: (folder / "model.binpb").write_bytes(tiny_model().SerializeToString()))
    assert loader(waits).load("tiny", folder, "f32").model.name == "tiny"
    assert waits.waited == [0.5]


def test_after_so_many_tries_it_is_given_up_and_the_reason_told(tmp_path: Path) -> None:
    (tmp_path / "tiny/1").mkdir(parents=True)
    waits = Waits()
    with pytest.raises(CorruptModelError, match="no model file"):
        loader(waits).load("tiny", tmp_path / "tiny/1", "f32")
    assert waits.waited == [0.5, 0.5, 0.5]


def test_a_folder_that_may_not_be_looked_into_is_a_reason_and_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path, tiny_model())
    close(folder, monkeypatch)
    waits = Waits()
    with pytest.raises(CorruptModelError, match="tiny/1 cannot be read: got Permission denied"):
        loader(waits, most=1).load("tiny", folder, "f32")
    assert waits.waited == [0.5]


def test_a_disk_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model())
    (folder / "model.binpb").chmod(0)
    problems: list[OSError | None] = [OSError(5, "Input/output error"), OSError(5, "Input/output error"), None]

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        if problem := problems.pop(0):
            raise CorruptModelError(Reason.MODEL_CORRUPT, "cannot be read") from problem
        return load_model(source)

    waits = Waits()
    VersionLoader(load, retries=Retries(3, 0.5, waits)).load("tiny", folder, "f32")
    assert (waits.waited, problems) == ([0.5, 0.5], [])


@pytest.mark.parametrize("content", [b"\x0a\x50", tiny_model("other").SerializeToString()])
def test_a_model_that_is_wrong_is_not_tried_again(tmp_path: Path, content: bytes) -> None:
    folder = write_model(tmp_path, tiny_model())
    (folder / "model.binpb").write_bytes(content)
    waits = Waits()
    with pytest.raises(NumbatchError):
        loader(waits).load("tiny", folder, "f32")
    assert waits.waited == []


def test_a_server_that_stops_waits_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "tiny/1").mkdir(parents=True)
    waits = Waits(stopped=True)
    with pytest.raises(CorruptModelError, match="no model file"):
        loader(waits).load("tiny", tmp_path / "tiny/1", "f32")
    assert len(waits.waited) == 1


def test_files_that_change_while_they_are_read_are_read_again(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model(factor=2))
    changes = [b"half of", tiny_model(factor=3).SerializeToString()]

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        model = load_model(source)
        if changes:
            (folder / "weights.safetensors").write_bytes(changes[0])
            (folder / "model.binpb").write_bytes(changes.pop())
        return model

    waits = Waits(changes.clear)
    loaded = VersionLoader(load, retries=Retries(3, 0.5, waits)).load("tiny", folder, "f32")
    assert loaded.model.infer([[1, 1]]).tolist() == [[3, 3]]
    assert waits.waited == [0.5]


def test_files_that_never_come_to_rest_are_given_up(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model())
    sizes = iter(range(100))

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        (folder / "log").write_bytes(bytes(next(sizes)))
        return load_model(source)

    with pytest.raises(
        CorruptModelError, match="changed while they were read; copy a version into a folder whose name"
    ):
        VersionLoader(load, retries=Retries(2, 0.5, Waits())).load("tiny", folder, "f32")


def test_a_model_that_is_wrong_because_it_was_being_copied_is_read_again(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model())
    half = [True]

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        if half:  # the copy goes on while what was there of it is read
            half.pop()
            (folder / "more").touch()
            raise CorruptModelError(Reason.MODEL_CORRUPT, "a truncated one")
        return load_model(source)

    waits = Waits()
    VersionLoader(load, retries=Retries(1, 0.5, waits)).load("tiny", folder, "f32")
    assert waits.waited == [0.5]


def test_batches_are_run_before_a_version_is_there(tmp_path: Path) -> None:
    rows: list[int] = []

    class Watched(LoadedModel):
        def run(self, inputs, layers=(), *, max_output_bytes=None):  # type: ignore[no-untyped-def]
            rows.append(len(next(iter(inputs.values()))))
            return super().run(inputs, layers, max_output_bytes=max_output_bytes)

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        model = load_model(source)
        model.__class__ = Watched
        return model

    VersionLoader(load).load("tiny", write_model(tmp_path, tiny_model()), "f32", (1, 32, 7))
    assert rows == [1, 32, 7]


def large() -> Model:
    return Sequential([Input((300,)), Dense(400), Dense(300)], seed=1).to_message("large")


def test_a_model_is_refused_before_its_weights_are_read_if_there_is_no_room(tmp_path: Path) -> None:
    folder = write_model(tmp_path, large())
    needed = footprint(folder)
    called: list[object] = []

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        called.append(source)
        return load_model(source)

    with pytest.raises(OverloadedError) as refused:
        VersionLoader(load, MemoryAccount(needed.peak_bytes - 1)).load("large", folder, "f32")
    assert (refused.value.reason, called) == (Reason.MEMORY_LIMIT, [])
    VersionLoader(load, MemoryAccount(needed.peak_bytes)).load("large", folder, "f32")
    assert called == [folder]


def test_a_second_version_beside_the_first_needs_room_for_both_and_the_first_is_freed_with_its_last_request(
    tmp_path: Path,
) -> None:
    folder = write_model(tmp_path, large())
    needed = footprint(folder)
    account = MemoryAccount(needed.peak_bytes + needed.held_bytes // 2)
    loading = VersionLoader(memory=account)
    first = loading.load("large", folder, "f32")
    assert account.held_bytes == first.held_bytes == needed.held_bytes
    with pytest.raises(OverloadedError):
        loading.load("large", folder, "f32")
    in_use = first.model
    del first
    with pytest.raises(OverloadedError):
        loading.load("large", folder, "f32")
    del in_use
    gc.collect()
    assert account.held_bytes == 0
    loading.load("large", folder, "f32")


def test_a_load_that_fails_holds_nothing(tmp_path: Path) -> None:
    account = MemoryAccount(2**40)
    with pytest.raises(InvalidModelError):
        VersionLoader(memory=account).load("empty", write_model(tmp_path, Model(name="empty")), "f32")
    assert (account.held_bytes, account.room_bytes) == (0, 2**40)


@pytest.mark.parametrize("problem", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_a_system_without_memory_is_a_reason_and_no_bug(tmp_path: Path, problem: Exception) -> None:
    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        raise problem

    waits, account = Waits(), MemoryAccount(2**40)
    with pytest.raises(OverloadedError, match="the system has no such memory: got a model that takes") as refused:
        VersionLoader(load, account, Retries(3, 0.5, waits)).load("tiny", write_model(tmp_path, tiny_model()), "f32")
    assert (refused.value.reason, waits.waited, account.held_bytes) == (Reason.MEMORY_LIMIT, [], 0)

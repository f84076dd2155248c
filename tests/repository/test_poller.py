"""Following a repository on disk, one look after the other."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.repository.policy import All
from numbatch.repository.poller import Poller
from numbatch.repository.registry import Registry
from numbatch.repository.settings import BatchingSettings
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import ModelState
from numbatch.wire.errors import CorruptModelError, InvalidModelError, NotFoundError, UnavailableError
from support.server import write_model
from support.tiny import tiny_model


class Followed:
    """A registry that follows a repository."""

    def __init__(self, repository: Path, **options: object) -> None:
        self.repository = repository
        self.loaded: list[str] = []
        self.registry = Registry(repository, load=self._load, **options)  # type: ignore[arg-type]
        found = self.registry.discover()
        self.registry.load(found)
        self._poller = Poller(self.registry, found)

    def _load(self, source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        if isinstance(source, Path):
            self.loaded.append(f"{source.parent.name}/{source.name}")
        return load_model(source, name=name, weights_precision=weights_precision)

    def poll(self, times: int = 1) -> dict[str, str]:
        """Look so many times; return the states of all versions."""
        for _ in range(times):
            self._poller.poll()
        return self.states()

    def states(self) -> dict[str, str]:
        return {
            f"{entry.name}/{entry.version}": ModelState.Name(entry.state).removeprefix("MODEL_STATE_")
            for entry in self.registry.snapshot
        }

    def factor(self, name: str = "tiny") -> float:
        return float(self.registry.snapshot.ready(name)[1].infer([1, 1])[0])


def write(followed: Followed, version: int, factor: float = 2.0, name: str = "tiny") -> Path:
    return write_model(followed.repository, tiny_model(name, factor), version)


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    """With one version of one model."""
    write_model(tmp_path, tiny_model(factor=1))
    return Followed(tmp_path)


def test_a_version_that_comes_is_loaded_once_it_has_come_to_rest_and_the_old_one_goes(followed: Followed) -> None:
    write(followed, 2)
    assert followed.poll() == {"tiny/1": "READY"}
    assert followed.poll() == {"tiny/2": "READY"}
    assert followed.factor() == 2
    followed.poll(3)
    assert followed.loaded == ["tiny/1", "tiny/2"]


def test_a_version_that_is_being_copied_is_not_touched_before_it_is_whole(followed: Followed) -> None:
    whole = tiny_model(factor=2).SerializeToString()
    folder = followed.repository / "tiny/2"
    folder.mkdir()
    for length in range(0, len(whole) + 1, len(whole) // 5):
        assert followed.poll() == {"tiny/1": "READY"}
        (folder / "model.binpb").write_bytes(whole[:length])
    (folder / "model.binpb").write_bytes(whole)
    assert followed.poll(2) == {"tiny/2": "READY"}
    assert followed.loaded == ["tiny/1", "tiny/2"]


def test_files_that_change_are_loaded_again(followed: Followed) -> None:
    (followed.repository / "tiny/1/model.binpb").write_bytes(tiny_model(factor=7).SerializeToString())
    followed.poll(2)
    assert (followed.states(), followed.factor()) == ({"tiny/1": "READY"}, 7)


def test_files_that_change_for_the_worse_leave_what_is_loaded_and_say_why(followed: Followed) -> None:
    (followed.repository / "tiny/1/model.binpb").write_bytes(b"\x0a\x50")
    followed.poll(5)
    assert (followed.states(), followed.factor()) == ({"tiny/1": "READY"}, 1)
    assert followed.registry.snapshot.versions["tiny"][1].reason.startswith("MODEL_CORRUPT: ")
    assert followed.loaded == ["tiny/1"]  # what it takes is asked first, and nothing is tried twice
    (followed.repository / "tiny/1/model.binpb").write_bytes(tiny_model(factor=3).SerializeToString())
    followed.poll(2)
    assert followed.factor() == 3
    assert followed.registry.snapshot.versions["tiny"][1].reason == ""


def test_a_version_that_fails_is_tried_again_when_its_files_change(followed: Followed) -> None:
    folder = write_model(followed.repository, Model(name="tiny"), 2)
    assert followed.poll(4) == {"tiny/1": "READY", "tiny/2": "FAILED"}
    (folder / "model.binpb").write_bytes(tiny_model(factor=2).SerializeToString())
    assert followed.poll(2) == {"tiny/2": "READY"}


def test_a_version_that_goes_is_unloaded_after_the_one_before_it_is_loaded_again(followed: Followed) -> None:
    folder = write(followed, 2)
    followed.poll(2)
    shutil.rmtree(folder)
    assert followed.poll() == {"tiny/2": "READY"}
    assert followed.poll() == {"tiny/1": "READY"}
    assert followed.loaded == ["tiny/1", "tiny/2", "tiny/1"]


def test_models_come_and_go(followed: Followed) -> None:
    write(followed, 4, name="other")
    assert followed.poll(2) == {"other/4": "READY", "tiny/1": "READY"}
    shutil.rmtree(followed.repository / "tiny")
    assert followed.poll(2) == {"other/4": "READY"}
    with pytest.raises(NotFoundError):
        followed.factor()


def test_a_folder_that_is_renamed_is_another_model(followed: Followed) -> None:
    write(followed, 1, name="other")
    followed.poll(2)
    for file in followed.repository.glob("other/1/model.binpb"):
        file.write_bytes(tiny_model("", 5).SerializeToString())
    (followed.repository / "other").rename(followed.repository / "another")
    assert followed.poll(2) == {"another/1": "READY", "tiny/1": "READY"}
    assert followed.factor("another") == 5


@pytest.mark.parametrize("disappear", [lambda path: path.rename(path.with_name("away")), lambda path: _empty(path)])
def test_a_repository_that_is_not_there_for_a_moment_takes_nothing_with_it(
    tmp_path: Path, disappear: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    write_model(tmp_path / "models", tiny_model(factor=1))
    followed = Followed(tmp_path / "models")
    disappear(tmp_path / "models")
    with caplog.at_level(logging.WARNING):
        assert followed.poll(3) == {"tiny/1": "READY"}
    assert len(caplog.records) == 1  # said once
    assert "what was loaded from it stays" in caplog.text
    if (tmp_path / "away").exists():
        (tmp_path / "away").rename(tmp_path / "models")
    write_model(tmp_path / "models", tiny_model(factor=2), 2)
    assert followed.poll(2) == {"tiny/2": "READY"}


def _empty(repository: Path) -> None:
    shutil.rmtree(repository)
    repository.mkdir()


def test_what_was_unloaded_stays_so_until_its_files_change(followed: Followed) -> None:
    followed.registry.unload("tiny")
    assert followed.poll(3) == {"tiny/1": "UNLOADED"}
    (followed.repository / "tiny/1/model.binpb").write_bytes(tiny_model(factor=2).SerializeToString())
    assert followed.poll(2) == {"tiny/1": "READY"}


def test_what_was_loaded_on_request_is_not_loaded_a_second_time(followed: Followed) -> None:
    write(followed, 2)
    followed.registry.load_from_disk("tiny")
    assert followed.poll(3) == {"tiny/2": "READY"}
    assert followed.loaded == ["tiny/1", "tiny/2"]


def test_a_version_that_was_asked_for_by_its_number_stays_beside_newer_ones(followed: Followed) -> None:
    followed.registry.load_from_disk("tiny", 1)
    write(followed, 2)
    write(followed, 3)
    assert followed.poll(2) == {"tiny/1": "READY", "tiny/3": "READY"}
    followed.registry.unload("tiny", 1)
    write(followed, 4)
    assert followed.poll(2) == {"tiny/4": "READY"}


def test_a_model_from_a_message_is_left_alone(followed: Followed) -> None:
    followed.registry.load_from_message(tiny_model("sent"))
    followed.registry.load_from_message(tiny_model(factor=9), version=9)
    assert followed.poll(3) == {"sent/1": "READY", "tiny/1": "READY", "tiny/9": "READY"}


def test_a_model_from_a_message_that_was_handed_over_in_a_folder_is_left_alone(
    followed: Followed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    handed = write_model(tmp_path_factory.mktemp("handed"), tiny_model("sent"))
    followed.registry.load_from_message(handed, name="sent")
    assert followed.poll(3) == {"sent/1": "READY", "tiny/1": "READY"}


def test_settings_are_followed_too(followed: Followed) -> None:
    write(followed, 2)
    settings = followed.repository / "tiny/settings.txtpb"
    settings.write_text("version_policy { all {} }\nbatching { max_batch_size: 8 }\n")
    assert followed.poll(2) == {"tiny/1": "READY", "tiny/2": "READY"}
    batching = [entry.settings.batching for entry in followed.registry.snapshot]
    assert batching == [BatchingSettings(max_batch_size=8)] * 2
    settings.write_text("version_policy { specific { versions: 1 } }\nweights_precision: WEIGHTS_PRECISION_BF16\n")
    assert followed.poll(2) == {"tiny/1": "READY"}
    entry = followed.registry.snapshot.versions["tiny"][1]
    assert entry.model is not None
    assert (entry.settings.batching, entry.model.summary.weights_precision) == (BatchingSettings(), "bf16")
    settings.unlink()
    assert followed.poll(2) == {"tiny/2": "READY"}


def test_broken_settings_are_listed_with_their_line_and_leave_what_is_ready(followed: Followed) -> None:
    settings = followed.repository / "tiny/settings.txtpb"
    settings.write_text("batching {\n  max_batch_size: 0\n}\n")
    write(followed, 2)
    assert followed.poll(3) == {"tiny/0": "FAILED", "tiny/1": "READY"}
    reason = followed.registry.snapshot.versions["tiny"][0].reason
    assert reason == "MODEL_INVALID: tiny/settings.txtpb:2: max_batch_size: got 0, expected 1 to 1048576"
    assert followed.factor() == 1
    settings.write_text("batching {\n  max_batch_size: 1\n}\n")
    assert followed.poll(2) == {"tiny/2": "READY"}


def test_broken_settings_at_the_start_are_listed_and_harm_no_other_model(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    write_model(tmp_path, tiny_model("other"))
    (tmp_path / "tiny/settings.txtpb").write_text("what: 1")
    followed = Followed(tmp_path)
    assert followed.states() == {"other/1": "READY", "tiny/0": "FAILED"}
    with pytest.raises(UnavailableError, match=r"tiny/settings\.txtpb:1: .* no field named"):
        followed.factor()


def test_a_load_on_request_says_what_is_wrong_with_the_settings(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    (tmp_path / "tiny/settings.txtpb").write_text("\nwhat: 1")
    with pytest.raises(InvalidModelError, match=r"tiny/settings\.txtpb:2: .* no field named"):
        Registry(tmp_path).load_from_disk("tiny")


def test_a_link_out_of_the_repository_that_appears_is_listed_and_not_followed(
    followed: Followed, tmp_path: Path
) -> None:
    outside = write_model(followed.repository.parent / "outside", tiny_model(factor=6), 2)
    (followed.repository / "tiny/2").symlink_to(outside)
    assert followed.poll(3) == {"tiny/1": "READY", "tiny/2": "FAILED"}
    assert "leads out of the model repository" in followed.registry.snapshot.versions["tiny"][2].reason
    with pytest.raises(CorruptModelError):
        followed.registry.load_from_disk("tiny", 2)
    shutil.rmtree(outside.parent.parent)


def test_all_versions_where_the_server_was_told_so(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model(), 1)
    followed = Followed(tmp_path, version_policy=All())
    write(followed, 3)
    assert followed.poll(2) == {"tiny/1": "READY", "tiny/3": "READY"}
    shutil.rmtree(tmp_path / "tiny/1")
    assert followed.poll(2) == {"tiny/3": "READY"}


def test_another_models_copy_holds_up_nobody(followed: Followed) -> None:
    write(followed, 2)
    growing = write_model(followed.repository, Sequential([Input((2,)), Dense(2)], seed=1).to_message("big"))
    followed.poll()
    (growing / "weights.part").write_bytes(b"1")
    assert followed.poll() == {"tiny/2": "READY"}

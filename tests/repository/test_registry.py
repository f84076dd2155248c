"""Loading from disk, and swapping."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import Constant
from numbatch.repository.policy import All
from numbatch.repository.registry import Registry
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import (
    CorruptModelError,
    InternalError,
    NotFoundError,
    NumbatchError,
)
from numbatch.wire.reasons import Reason
from support.registries import factor, listing
from support.server import write_model
from support.tiny import tiny_model


def test_the_newest_version_is_loaded_and_answers(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        write_model(tmp_path, tiny_model(factor=version), version)
    registry = Registry(tmp_path)
    found = registry.discover()
    assert listing(registry) == [("tiny", 10, "LOADING", False)]
    registry.load(found)
    assert listing(registry) == [("tiny", 10, "READY", True)]
    assert factor(registry) == 10
    with pytest.raises(NotFoundError, match="no such version of model 'tiny' on this server: got 2, expected 10"):
        factor(registry, 2)


def test_where_the_policy_says_so_all_versions_are_loaded_and_the_newest_answers(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        write_model(tmp_path, tiny_model(factor=version), version)
    registry = Registry(tmp_path, version_policy=All())
    found = registry.discover()
    assert listing(registry) == [("tiny", version, "LOADING", False) for version in (1, 2, 10)]
    registry.load(found)
    assert listing(registry) == [("tiny", 1, "READY", False), ("tiny", 2, "READY", False), ("tiny", 10, "READY", True)]
    assert (factor(registry), factor(registry, 2)) == (10, 2)


def test_the_newest_version_is_loaded_first(tmp_path: Path) -> None:
    loaded: list[str] = []

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        assert isinstance(source, Path)
        loaded.append(source.name)
        return load_model(source, name=name)

    for version in (1, 2, 10):
        write_model(tmp_path, tiny_model(), version)
    registry = Registry(tmp_path, load=load, version_policy=All())
    registry.load(registry.discover())
    assert loaded == ["10", "2", "1"]


def test_a_bad_model_is_listed_with_its_reason_and_harms_no_other(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    layer = Dense(2, kernel_initializer=Constant(np.nan))
    write_model(tmp_path, Sequential([Input((2,)), layer]).to_message("nan"))
    (write_model(tmp_path, tiny_model("cut"), 3) / "model.binpb").write_bytes(b"\x0a\x50")
    (tmp_path / "empty/1").mkdir(parents=True)
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    assert listing(registry) == [
        ("cut", 3, "FAILED", False),
        ("empty", 1, "FAILED", False),
        ("nan", 1, "FAILED", False),
        ("tiny", 1, "READY", True),
    ]
    reasons = {entry.name: entry.reason.partition(":")[0] for entry in registry.snapshot}
    assert reasons == {"cut": "MODEL_CORRUPT", "empty": "MODEL_CORRUPT", "nan": "WEIGHTS_NOT_FINITE", "tiny": ""}


def test_where_the_newest_version_fails_the_next_older_one_is_loaded_and_answers(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model(factor=1), 1)
    write_model(tmp_path, Model(name="tiny"), 2)
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    assert listing(registry) == [("tiny", 1, "READY", True), ("tiny", 2, "FAILED", False)]


def test_a_bug_while_loading_fails_that_version_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        if name == "odd":
            raise ZeroDivisionError("secret")
        return load_model(source, name=name)

    write_model(tmp_path, tiny_model())
    write_model(tmp_path, tiny_model("odd"))
    registry = Registry(tmp_path, load=load)
    registry.load(registry.discover())
    assert listing(registry) == [("odd", 1, "FAILED", False), ("tiny", 1, "READY", True)]
    reason = registry.snapshot.versions["odd"][1].reason
    assert reason == "INTERNAL: loading failed unexpectedly (ZeroDivisionError); the log says more"
    assert "ZeroDivisionError: secret" in caplog.text
    with pytest.raises(InternalError):
        registry.load_from_disk("odd")


def test_without_a_repository_nothing_is_found() -> None:
    registry = Registry(None)
    assert registry.discover() == {}
    with pytest.raises(NotFoundError, match="no such model in the model repository on disk"):
        registry.load_from_disk("tiny")


def test_a_new_version_on_disk_is_loaded_on_request(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model(factor=1), 1)
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    write_model(tmp_path, tiny_model(factor=2), 2)
    assert registry.load_from_disk("tiny").version == 2
    assert factor(registry) == 2


def test_loading_again_replaces_and_a_request_keeps_what_it_has(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model(factor=1))
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    _, in_use = registry.snapshot.ready("tiny")
    (folder / "model.binpb").write_bytes(tiny_model(factor=5).SerializeToString())
    registry.load_from_disk("tiny", 1)
    assert factor(registry) == 5
    assert in_use.infer([1, 1])[0] == 1


def test_a_replacement_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model(factor=1))
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    (folder / "model.binpb").write_bytes(b"\x0a\x50")
    with pytest.raises(CorruptModelError) as refused:
        registry.load_from_disk("tiny")
    assert (refused.value.model, refused.value.version) == ("tiny", 1)
    assert listing(registry) == [("tiny", 1, "READY", True)]
    assert factor(registry) == 1


def test_the_old_version_answers_while_the_new_one_is_loaded(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()
    write_model(tmp_path, tiny_model(factor=1))
    registry = Registry(tmp_path, load=lambda source, *, name="", **_: _held(source, name, entered, go_on))
    go_on.set()
    registry.load(registry.discover())
    entered.clear()
    go_on.clear()
    with ThreadPoolExecutor(1) as other_thread:
        loading = other_thread.submit(registry.load_from_message, tiny_model(factor=2), version=1)
        assert entered.wait(10)
        assert listing(registry) == [("tiny", 1, "READY", True)]
        assert factor(registry) == 1
        go_on.set()
        loading.result(10)
    assert factor(registry) == 2


def _held(source: Path | Model, name: str, entered: threading.Event, go_on: threading.Event) -> LoadedModel:
    entered.set()
    assert go_on.wait(10)
    return load_model(source, name=name)


def test_closing_ends_the_loading_after_the_version_it_is_at(tmp_path: Path) -> None:
    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        registry.close()
        return load_model(source, name=name)

    write_model(tmp_path, tiny_model("a"))
    write_model(tmp_path, tiny_model("b"))
    registry = Registry(tmp_path, load=load)
    registry.load(registry.discover())
    assert listing(registry) == [("a", 1, "READY", True), ("b", 1, "LOADING", False)]


@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("other", 0, Reason.MODEL_NOT_FOUND),
        ("tiny", 7, Reason.VERSION_NOT_FOUND),
        ("", 0, Reason.INVALID_FIELD),
        ("tiny", -1, Reason.INVALID_FIELD),
        ("../models/tiny", 0, Reason.MODEL_NOT_FOUND),  # a name is never a path
        ("tiny/1", 0, Reason.MODEL_NOT_FOUND),
    ],
)
def test_what_is_not_on_disk_is_not_loaded(tmp_path: Path, name: str, version: int, reason: Reason) -> None:
    write_model(tmp_path / "models", tiny_model())
    registry = Registry(tmp_path / "models")
    with pytest.raises(NumbatchError) as refused:
        registry.load_from_disk(name, version)
    assert refused.value.reason is reason
    assert listing(registry) == []

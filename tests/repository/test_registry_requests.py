"""Loading on request, from disk and from messages, and unloading."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from numbatch.repository.registry import Registry
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import (
    CorruptModelError,
    InvalidArgumentError,
    InvalidModelError,
    NotFoundError,
    UnavailableError,
)
from numbatch.wire.reasons import Reason
from support.registries import Listing, factor, listing, precisions
from support.server import write_model
from support.tiny import tiny_model


def test_a_version_with_a_problem_says_so_when_it_is_loaded(tmp_path: Path) -> None:
    outside = write_model(tmp_path / "outside", tiny_model())
    (tmp_path / "models/tiny").mkdir(parents=True)
    (tmp_path / "models/tiny/1").symlink_to(outside)
    registry = Registry(tmp_path / "models")
    with pytest.raises(CorruptModelError, match="tiny/1 leads out of the model repository"):
        registry.load_from_disk("tiny")
    assert listing(registry) == [("tiny", 1, "FAILED", False)]


def test_a_message_becomes_the_version_after_the_newest() -> None:
    registry = Registry(None)
    registry.load_from_message(tiny_model(factor=1))
    registry.load_from_message(tiny_model(factor=4), version=4)
    registry.load_from_message(tiny_model(""), name="tiny")
    assert listing(registry) == [("tiny", 1, "READY", False), ("tiny", 4, "READY", False), ("tiny", 5, "READY", True)]


def test_a_message_that_fails_leaves_no_trace() -> None:
    registry = Registry(None)
    with pytest.raises(InvalidModelError):
        registry.load_from_message(Model(name="tiny"))
    assert listing(registry) == []
    registry.load_from_message(tiny_model())
    registry.unload("tiny")
    for version in (0, 1):
        with pytest.raises(InvalidModelError):
            registry.load_from_message(Model(name="tiny"), version=version)
    assert listing(registry) == [("tiny", 1, "UNLOADED", False)]


@pytest.mark.parametrize(
    ("name", "in_message", "field"),
    [("", "", "model_name"), ("../up", "", "model_name"), ("", "a b", "model_name"), ("one", "other", "model.name")],
)
def test_a_message_needs_one_name(name: str, in_message: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        Registry(None).load_from_message(tiny_model(in_message), name=name)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, field)


def test_messages_without_numbers_get_different_ones_from_many_threads() -> None:
    registry = Registry(None)
    with ThreadPoolExecutor(4) as threads:
        entries = list(threads.map(lambda _: registry.load_from_message(tiny_model()), range(16)))
    assert sorted(entry.version for entry in entries) == list(range(1, 17))
    assert registry.snapshot.ready("tiny")[0] == 16


def test_unloading_one_version_lets_the_next_one_answer() -> None:
    registry = Registry(None)
    for number in (1, 2, 3):
        registry.load_from_message(tiny_model(factor=number))
    assert [entry.version for entry in registry.unload("tiny", 3)] == [3]
    assert factor(registry) == 2
    assert [entry.version for entry in registry.unload("tiny")] == [3, 2, 1]
    assert listing(registry) == [("tiny", version, "UNLOADED", False) for version in (1, 2, 3)]
    with pytest.raises(UnavailableError, match="it was unloaded"):
        registry.snapshot.ready("tiny")


def test_an_unloaded_version_can_be_loaded_again(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    registry.unload("tiny")
    registry.load_from_disk("tiny")
    assert listing(registry) == [("tiny", 1, "READY", True)]


def test_versions_from_disk_have_the_registrys_precision_and_messages_f32(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path, weights_precision="bf16")
    registry.load(registry.discover())
    registry.load_from_message(tiny_model())
    registry.load_from_message(tiny_model(), weights_precision="bf16")
    assert precisions(registry) == {1: "bf16", 2: "f32", 3: "bf16"}


def test_a_version_from_disk_is_loaded_again_as_it_was(tmp_path: Path) -> None:
    folder = write_model(tmp_path, tiny_model(factor=1 / 3))
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    registry.load_from_disk("tiny", weights_precision="bf16")
    assert factor(registry) != np.float32(1 / 3)
    registry.load_from_disk("tiny")
    assert precisions(registry) == {1: "bf16"}
    registry.unload("tiny")
    (folder / "model.binpb").write_bytes(b"\x0a\x50")
    with pytest.raises(CorruptModelError):  # nor does a failure make it forget, or remember
        registry.load_from_disk("tiny", weights_precision="f32")
    (folder / "model.binpb").write_bytes(tiny_model().SerializeToString())
    registry.load_from_disk("tiny")
    assert precisions(registry) == {1: "bf16"}
    registry.load_from_disk("tiny", weights_precision="f32")
    assert precisions(registry) == {1: "f32"}


def test_an_unknown_precision_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path)
    with pytest.raises(InvalidArgumentError, match="weights_precision: got 'i8', expected f32 or bf16"):
        registry.load_from_disk("tiny", weights_precision="i8")
    with pytest.raises(InvalidArgumentError, match="weights_precision: got 'i8', expected f32 or bf16"):
        registry.load_from_message(tiny_model(), weights_precision="i8")
    assert listing(registry) == []


@pytest.mark.parametrize(
    ("name", "version", "reason"), [("other", 0, Reason.MODEL_NOT_FOUND), ("tiny", 2, Reason.VERSION_NOT_FOUND)]
)
def test_what_is_not_known_cannot_be_unloaded(name: str, version: int, reason: Reason) -> None:
    registry = Registry(None)
    registry.load_from_message(tiny_model())
    with pytest.raises(NotFoundError) as refused:
        registry.unload(name, version)
    assert refused.value.reason is reason


def test_every_change_is_told() -> None:
    told: list[Listing] = []
    registry = Registry(None, on_change=lambda: told.append(listing(registry)))
    registry.load_from_message(tiny_model())
    registry.unload("tiny")
    assert told == [
        [("tiny", 1, "LOADING", False)],
        [("tiny", 1, "READY", True)],
        [("tiny", 1, "UNLOADED", False)],
    ]

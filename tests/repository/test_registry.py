"""Loading, swapping and unloading."""

import gc
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import Constant
from numbatch.repository.memory import MemoryAccount
from numbatch.repository.policy import All, Latest, Specific
from numbatch.repository.registry import Registry
from numbatch.repository.report import LoadReport
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import ModelState
from numbatch.wire.errors import (
    CorruptModelError,
    InternalError,
    InvalidArgumentError,
    InvalidModelError,
    NotFoundError,
    NumbatchError,
    OverloadedError,
    UnavailableError,
)
from numbatch.wire.reasons import Reason
from support.server import write_model
from support.tiny import tiny_model

Listing = list[tuple[str, int, str, bool]]


def listing(registry: Registry) -> Listing:
    """Name, version, state and whether it is the default, of all versions."""
    snapshot = registry.snapshot
    statuses = [snapshot.status(entry) for entry in snapshot]
    return [
        (s.model_name, s.model_version, ModelState.Name(s.state).removeprefix("MODEL_STATE_"), s.default_version)
        for s in statuses
    ]


def factor(registry: Registry, version: int = 0) -> float:
    """Which of the tiny models answers."""
    _, model = registry.snapshot.ready("tiny", version)
    return float(model.infer([1, 1])[0])


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


def precisions(registry: Registry) -> dict[int, str]:
    """With which precision each version of the tiny model runs."""
    return {entry.version: entry.model.summary.weights_precision for entry in registry.snapshot if entry.model}


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


def test_only_the_models_that_were_named_are_loaded_at_the_start(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_model(tmp_path, tiny_model(name))
    registry = Registry(tmp_path)
    registry.load(registry.discover(["b"]))
    assert listing(registry) == [("b", 1, "READY", True)]
    registry.load_from_disk("a")
    assert listing(registry) == [("a", 1, "READY", True), ("b", 1, "READY", True)]


def test_a_name_that_is_no_model_is_listed_with_those_that_there_are(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path)
    registry.load(registry.discover(["tinny", "tiny"]))
    assert listing(registry) == [("tinny", 0, "FAILED", False), ("tiny", 1, "READY", True)]
    reason = registry.snapshot.versions["tinny"][0].reason
    assert reason.startswith("MODEL_NOT_FOUND: model_name: no such model in the model repository on disk: got 'tinny'")


def test_a_load_on_request_does_what_the_policy_wants(tmp_path: Path) -> None:
    for version in (1, 2):
        write_model(tmp_path, tiny_model(factor=version), version)
    registry = Registry(tmp_path, version_policy=Latest(2))
    registry.load(registry.discover([]))
    assert registry.load_from_disk("tiny").version == 2
    assert listing(registry) == [("tiny", 1, "READY", False), ("tiny", 2, "READY", True)]
    write_model(tmp_path, tiny_model(factor=3), 3)
    assert registry.load_from_disk("tiny").version == 3
    assert listing(registry) == [("tiny", 2, "READY", False), ("tiny", 3, "READY", True)]


def test_a_load_on_request_that_fails_unloads_nothing(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    write_model(tmp_path, Model(name="tiny"), 2)
    with pytest.raises(InvalidModelError):
        registry.load_from_disk("tiny")
    assert listing(registry) == [("tiny", 1, "READY", True), ("tiny", 2, "FAILED", False)]


def test_a_policy_that_wants_none_of_the_versions_says_so(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path, version_policy=Specific((7,)))
    with pytest.raises(NotFoundError, match="that the version policy specific:7 wants: got 0, expected 1"):
        registry.load_from_disk("tiny")


def test_what_is_unloaded_while_it_is_loaded_stays_unloaded(tmp_path: Path) -> None:
    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        if name == "tiny":
            registry.unload(name)
        return load_model(source, name=name)

    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path, load=load)
    with pytest.raises(UnavailableError, match="it was unloaded while it was loaded"):
        registry.load_from_disk("tiny")
    with pytest.raises(UnavailableError, match="it was unloaded while it was loaded"):
        registry.load_from_message(tiny_model())
    assert listing(registry) == [("tiny", 1, "UNLOADED", False), ("tiny", 2, "UNLOADED", False)]


def test_the_models_settings_come_with_each_version(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    (tmp_path / "tiny/settings.txtpb").write_text("batching { max_batch_size: 4 }\nwarm_up { batch_sizes: 2 }")
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    registry.load_from_message(tiny_model(), version=5)
    assert [(entry.settings.batching.max_batch_size, entry.settings.warm_up) for entry in registry.snapshot] == [
        (4, (2,)),
        (4, (2,)),
    ]


def test_the_precision_of_the_settings_comes_before_the_servers_and_after_the_callers(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    settings = tmp_path / "tiny/settings.txtpb"
    settings.write_text("weights_precision: WEIGHTS_PRECISION_BF16")
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    assert precisions(registry) == {1: "bf16"}
    settings.write_text("weights_precision: WEIGHTS_PRECISION_F32")
    registry.load_from_disk("tiny")
    assert precisions(registry) == {1: "f32"}
    registry.load_from_disk("tiny", weights_precision="bf16")
    registry.load_from_disk("tiny")
    assert precisions(registry) == {1: "bf16"}


def test_each_version_says_what_it_holds_and_together_they_are_what_is_held(tmp_path: Path) -> None:
    write_model(tmp_path, Sequential([Input((100,)), Dense(200)], seed=0).to_message("large"))
    registry = Registry(tmp_path)
    registry.load(registry.discover())
    registry.load_from_message(tiny_model())
    held = {entry.name: entry.held_bytes for entry in registry.snapshot}
    assert held["large"] >= 4 * 200 * 100 > held["tiny"] > 0
    assert registry.memory.held_bytes == sum(held.values())
    registry.unload("large")
    assert registry.memory.held_bytes == held["tiny"]


def test_a_model_for_which_there_is_no_memory_is_listed_with_both_sizes(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    registry = Registry(tmp_path, memory=MemoryAccount(1000))
    registry.load(registry.discover())
    (entry,) = registry.snapshot
    assert re.match(r"MEMORY_LIMIT: .* a model that takes \d+ bytes .* expected at most 1000 of 1000", entry.reason)
    with pytest.raises(OverloadedError):
        registry.load_from_message(tiny_model("other"))


def test_many_threads_that_load_and_unload_leave_one_truth(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    told: list[int] = []
    registry = Registry(tmp_path, on_change=lambda: told.append(1))
    allowed = {Reason.MODEL_NOT_READY, Reason.MODEL_NOT_FOUND}

    def change(number: int) -> None:
        try:
            if number % 2:
                registry.load_from_disk("tiny")
            else:
                registry.unload("tiny")
        except NumbatchError as refused:
            assert refused.reason in allowed, refused

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(change, range(200)))
    registry.load_from_disk("tiny")
    assert listing(registry) == [("tiny", 1, "READY", True)]
    gc.collect()
    assert registry.memory.held_bytes == registry.snapshot.versions["tiny"][1].held_bytes


def test_every_load_is_reported_with_how_it_ended() -> None:
    reports: list[LoadReport] = []
    registry = Registry(None, on_load=reports.append)
    registry.load_from_message(tiny_model())
    with pytest.raises(InvalidModelError):
        registry.load_from_message(Model(name="bad"))
    seconds = [report.seconds for report in reports]
    assert reports == [LoadReport("tiny", 1, "", seconds[0]), LoadReport("bad", 1, "MODEL_INVALID", seconds[1])]
    assert min(seconds) > 0

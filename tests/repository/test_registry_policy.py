"""Which models a registry holds: by name, policy, settings and memory; and its reports."""

import gc
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.repository.memory import MemoryAccount
from numbatch.repository.policy import Latest, Specific
from numbatch.repository.registry import Registry
from numbatch.repository.report import LoadReport
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import (
    InvalidModelError,
    NotFoundError,
    NumbatchError,
    OverloadedError,
    UnavailableError,
)
from numbatch.wire.reasons import Reason
from support.registries import listing, precisions
from support.server import write_model
from support.tiny import tiny_model


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

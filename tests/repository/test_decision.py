"""What is on disk and in memory -> what is to be done."""

from pathlib import Path

import pytest

from numbatch.repository.decision import Decision, decide
from numbatch.repository.policy import LATEST, All, Latest, Specific, VersionPolicy
from numbatch.repository.settings import ModelSettings
from numbatch.repository.signature import NOT_TRIED, Signature
from numbatch.repository.snapshot import Entry
from numbatch.repository.survey import ModelOnDisk, Survey, VersionOnDisk
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_LOADING,
    MODEL_STATE_READY,
    MODEL_STATE_UNLOADED,
)
from support.tiny import TINY

A: Signature = (("model.binpb", 0o644, 10, 1),)
B: Signature = (("model.binpb", 0o644, 10, 2),)

ESCAPED = "MODEL_CORRUPT: net/1 leads out of the model repository"


def on_disk(
    *versions: int, policy: VersionPolicy | None = None, problem: str = "", **others: Signature
) -> dict[str, ModelOnDisk]:
    """A model whose versions have the files A, or others (`v2=B`)."""
    signatures = dict.fromkeys(versions, A) | {int(name[1:]): signature for name, signature in others.items()}
    there = {version: VersionOnDisk(Path("net", str(version)), files) for version, files in signatures.items()}
    return {"net": ModelOnDisk(there, ModelSettings(version_policy=policy), problem)}


def ready(version: int, signature: Signature | None = A, *, pinned: bool = False) -> Entry:
    return Entry("net", version, MODEL_STATE_READY, model=TINY, signature=signature, pinned=pinned)


def failed(version: int, signature: Signature | None = A, reason: str = "MODEL_CORRUPT: cut off") -> Entry:
    return Entry("net", version, MODEL_STATE_FAILED, reason, signature=signature)


def unloaded(version: int, signature: Signature | None = A) -> Entry:
    return Entry("net", version, MODEL_STATE_UNLOADED, signature=signature)


def loading(version: int, signature: Signature | None = NOT_TRIED) -> Entry:
    return Entry("net", version, MODEL_STATE_LOADING, signature=signature)


def decided(found: Survey, *known: Entry, policy: VersionPolicy = LATEST) -> Decision:
    entries = {entry.version: entry for entry in known}
    return decide(found, {"net": entries} if entries else {}, policy)


def load(*versions: int) -> Decision:
    return Decision(load=tuple(("net", version) for version in versions))


def retire(*versions: int) -> Decision:
    return Decision(retire=tuple(("net", version) for version in versions))


NOTHING = Decision()


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [
        pytest.param({}, [], NOTHING, id="nothing anywhere"),
        pytest.param(on_disk(1, 2, 10), [], load(10), id="the newest version is loaded"),
        pytest.param(on_disk(1, 2), [loading(2)], load(2), id="also where it is listed already"),
        pytest.param(on_disk(1, 2), [ready(2)], NOTHING, id="what is loaded is loaded"),
        pytest.param(on_disk(1, 2), [ready(1)], load(2), id="a new version is loaded before the old one is unloaded"),
        pytest.param(on_disk(1, 2), [ready(1), loading(2)], load(2), id="which answers meanwhile"),
        pytest.param(on_disk(1, 2), [ready(1), ready(2)], retire(1), id="and is unloaded afterwards"),
        pytest.param(on_disk(1, 2), [ready(1), failed(2)], NOTHING, id="but not if the new one fails"),
        pytest.param(on_disk(1, 2), [failed(2)], load(1), id="where the newest fails, an older one is loaded"),
        pytest.param(on_disk(1, v2=B), [ready(1), failed(2)], load(2), id="what failed is tried when its files change"),
        pytest.param(on_disk(v1=B), [ready(1)], load(1), id="files that change are loaded again"),
        pytest.param(on_disk(1, 2), [unloaded(2)], NOTHING, id="what was unloaded stays so, and nothing replaces it"),
        pytest.param(on_disk(1, v2=B), [unloaded(2)], load(2), id="until its files change"),
        pytest.param(on_disk(1, 2, 3), [unloaded(2)], load(3), id="or there is a newer version"),
        pytest.param(on_disk(1), [ready(1), ready(2)], retire(2), id="a version that has gone is unloaded"),
        pytest.param(on_disk(1), [ready(2)], load(1), id="after the one that takes its place is loaded"),
        pytest.param(on_disk(1), [failed(1), ready(2)], NOTHING, id="and never before one is"),
        pytest.param(on_disk(1), [ready(1), failed(2)], retire(2), id="one that failed and has gone is forgotten"),
        pytest.param(on_disk(1, 2, 3), [ready(3), failed(2)], retire(2), id="or that nobody wants any more"),
        pytest.param(on_disk(1, 2, 3), [ready(2), failed(3)], NOTHING, id="but not while it would be wanted"),
        pytest.param({}, [ready(1), failed(2)], retire(1, 2), id="a model that has gone is unloaded"),
    ],
)
def test_the_newest_version(found: Survey, known: list[Entry], expected: Decision) -> None:
    assert decided(found, *known) == expected


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [
        pytest.param(on_disk(1, 2), [ready(1, pinned=True), ready(2)], NOTHING, id="it stays beside the newest"),
        pytest.param(on_disk(v1=B, v2=A), [ready(1, pinned=True), ready(2)], load(1), id="and follows its files"),
        pytest.param(on_disk(2), [ready(1, pinned=True), ready(2)], retire(1), id="and goes with them"),
        pytest.param(on_disk(1, 2), [unloaded(1), ready(2)], retire(1), id="once unloaded it is as any other"),
    ],
)
def test_a_version_that_somebody_asked_for(found: Survey, known: list[Entry], expected: Decision) -> None:
    assert decided(found, *known) == expected


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [
        pytest.param({}, [ready(1, None)], NOTHING, id="it needs no files"),
        pytest.param(on_disk(1), [ready(7, None)], load(1), id="it stands beside those on disk"),
        pytest.param(on_disk(1), [ready(1, None)], NOTHING, id="it has its number until it is unloaded"),
        pytest.param(on_disk(1), [loading(1, None)], NOTHING, id="also while it is loaded"),
        pytest.param(on_disk(1), [unloaded(1, None)], load(1), id="and no longer"),
        pytest.param({}, [unloaded(1, None)], NOTHING, id="unloaded it is listed"),
    ],
)
def test_a_version_that_came_in_a_message(found: Survey, known: list[Entry], expected: Decision) -> None:
    assert decided(found, *known) == expected


@pytest.mark.parametrize(
    ("policy", "found", "known", "expected"),
    [
        pytest.param(All(), on_disk(1, 2, 3), [], load(3, 2, 1), id="all, the newest first"),
        pytest.param(All(), on_disk(1, 2), [ready(1), ready(2), ready(3)], retire(3), id="all that are left"),
        pytest.param(Latest(2), on_disk(1, 2, 3), [ready(1), ready(2)], load(3), id="two, and a third comes"),
        pytest.param(Latest(2), on_disk(1, 2, 3), [ready(1), ready(2), ready(3)], retire(1), id="the oldest goes"),
        pytest.param(Latest(2), on_disk(1, 2, 3), [ready(3), failed(2)], load(1), id="two that can be loaded"),
        pytest.param(Specific((1,)), on_disk(1, 2), [], load(1), id="one by its number"),
        pytest.param(Specific((1,)), on_disk(1, 2), [ready(1), ready(2)], retire(2), id="and no other"),
        pytest.param(Specific((9,)), on_disk(1), [ready(1)], NOTHING, id="the last one stays where none is there"),
    ],
)
def test_other_policies(policy: VersionPolicy, found: Survey, known: list[Entry], expected: Decision) -> None:
    assert decided(found, *known, policy=policy) == expected


def test_the_policy_of_a_models_settings_comes_before_the_servers() -> None:
    assert decided(on_disk(1, 2, policy=All()), ready(2)) == load(1)
    assert decided(on_disk(1, 2, policy=Latest(1)), policy=All()) == load(2)


def test_a_model_whose_settings_are_broken_is_listed_and_stays_as_it_is() -> None:
    found = on_disk(1, 2, problem="MODEL_INVALID: net/settings.txtpb:3: what")
    listed = Decision(fail=(("net", 0, "MODEL_INVALID: net/settings.txtpb:3: what"),))
    assert decided(found) == listed
    assert decided(found, ready(1)) == listed
    assert decided(found, ready(1), failed(0, reason="MODEL_INVALID: net/settings.txtpb:3: what")) == NOTHING
    assert decided(found, ready(1), failed(0, reason="MODEL_INVALID: net/settings.txtpb:2: other")) == listed


def test_once_they_are_mended_the_problem_is_forgotten() -> None:
    assert decided(on_disk(1), ready(1), failed(0)) == retire(0)


def test_a_version_that_leads_out_of_the_repository_is_listed_once_and_another_takes_its_place() -> None:
    versions = {1: VersionOnDisk(Path("net/1"), A), 2: VersionOnDisk(Path("net/2"), (), ESCAPED)}
    found = {"net": ModelOnDisk(versions)}
    assert decided(found) == Decision(fail=(("net", 2, ESCAPED),), load=(("net", 1),))
    assert decided(found, ready(1), failed(2, NOT_TRIED, ESCAPED)) == NOTHING
    assert decided(on_disk(1, 2), ready(1), failed(2, NOT_TRIED, ESCAPED)) == load(2)


def test_only_the_models_in_question_are_decided() -> None:
    found = {"a": on_disk(1)["net"], "b": on_disk(1)["net"]}
    assert decide(found, {}, Latest(1)).load == (("a", 1), ("b", 1))
    assert decide(found, {}, Latest(1), ["b", "c"]).load == (("b", 1),)

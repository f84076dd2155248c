"""What is known of the models at one moment."""

import pytest

from numbatch.repository.snapshot import Entry, Snapshot
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_LOADING,
    MODEL_STATE_READY,
    MODEL_STATE_UNLOADED,
    ModelStatus,
)
from numbatch.wire.errors import InvalidArgumentError, NotFoundError, UnavailableError
from numbatch.wire.reasons import Reason
from support.tiny import TINY


def ready(name: str, version: int) -> Entry:
    return Entry(name, version, MODEL_STATE_READY, model=TINY)


def known(*entries: Entry) -> Snapshot:
    snapshot = Snapshot()
    for entry in entries:
        others = snapshot.versions.get(entry.name, {}).values()
        snapshot = snapshot.replace(entry.name, [*others, entry])
    return snapshot


def test_the_newest_ready_version_answers_by_default() -> None:
    snapshot = known(ready("net", 2), ready("net", 10), Entry("net", 11, MODEL_STATE_FAILED, "broken"))
    assert snapshot.ready("net") == (10, TINY)
    assert snapshot.ready("net", 2) == (2, TINY)
    assert [status.default_version for status in map(snapshot.status, snapshot)] == [False, True, False]


def test_a_change_makes_a_new_snapshot_and_leaves_the_old_one() -> None:
    before = known(ready("net", 1))
    after = before.replace("net", [ready("net", 2)])
    assert (before.ready("net")[0], after.ready("net")[0]) == (1, 2)
    assert list(after.replace("net", [])) == []


def test_versions_are_ordered_by_name_then_number() -> None:
    snapshot = known(ready("net", 10), ready("abc", 2), ready("net", 9))
    assert [(entry.name, entry.version) for entry in snapshot] == [("abc", 2), ("net", 9), ("net", 10)]


def test_the_status_says_state_and_reason() -> None:
    snapshot = known(Entry("net", 3, MODEL_STATE_FAILED, "broken"))
    assert snapshot.status(next(iter(snapshot))) == ModelStatus(
        model_name="net", model_version=3, state=MODEL_STATE_FAILED, reason="broken"
    )


def test_an_unknown_model_is_answered_with_the_closest_name() -> None:
    with pytest.raises(NotFoundError) as refused:
        known(ready("digits", 1), ready("iris", 1)).ready("digit")
    assert refused.value.reason is Reason.MODEL_NOT_FOUND
    assert refused.value.message == (
        "model_name: no such model on this server: got 'digit', expected digits, iris; did you mean 'digits'?"
    )


def test_of_many_models_only_some_are_named() -> None:
    with pytest.raises(NotFoundError, match=r"expected m00, .*, m07 and 12 more"):
        known(*(ready(f"m{number:02}", 1) for number in range(20))).ready("?")


def test_without_models_that_is_said() -> None:
    with pytest.raises(NotFoundError, match="expected nothing: there are no models"):
        Snapshot().ready("net")


def test_an_unknown_version_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(NotFoundError) as refused:
        known(ready("net", 2), ready("net", 10)).ready("net", 3)
    assert refused.value.reason is Reason.VERSION_NOT_FOUND
    assert refused.value.message == (
        "model_version: no such version of model 'net' on this server: got 3, expected 10, 2"
    )


@pytest.mark.parametrize(
    ("entry", "because"),
    [
        (Entry("net", 1, MODEL_STATE_LOADING), "it is being loaded"),
        (
            Entry("net", 1, MODEL_STATE_FAILED, "MODEL_CORRUPT: cut off"),
            "it could not be loaded: MODEL_CORRUPT: cut off",
        ),
        (Entry("net", 1, MODEL_STATE_UNLOADED), "it was unloaded"),
    ],
)
@pytest.mark.parametrize("version", [0, 1])
def test_a_version_that_does_not_answer_says_why(entry: Entry, because: str, version: int) -> None:
    with pytest.raises(UnavailableError) as refused:
        known(entry).ready("net", version)
    assert refused.value.reason is Reason.MODEL_NOT_READY
    assert refused.value.message == f"version 1 of model 'net' is not ready: {because}"


@pytest.mark.parametrize(("name", "version", "field"), [("", 0, "model_name"), ("net", -1, "model_version")])
def test_what_can_be_no_name_or_number_is_a_wrong_field(name: str, version: int, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        known(ready("net", 1)).ready(name, version)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, field)

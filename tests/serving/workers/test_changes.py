"""The journal of what was changed."""

import pytest

from numbatch.serving.workers.changes import Change, Journal

FIRST = Change("digits", 1, loads=True, weights_precision="bf16")
SENT = Change("digits", 1, loads=True, weights_precision="f32", folder="models/a")
SECOND = Change("digits", 2, loads=True, folder="models/b")
NEWEST = Change("digits", 0, loads=True)
NOT_FIRST = Change("digits", 1, loads=False)
NONE = Change("digits", 0, loads=False)
OTHER = Change("other", 1, loads=True)

# What was changed -> what is left of it, and the folders that each change leaves to nobody.
STORIES = {
    "one version": ([FIRST], [FIRST], [[]]),
    "the last change of a version counts": ([FIRST, SENT, NOT_FIRST], [NOT_FIRST], [[], [], [SENT.folder]]),
    "in the order of the last changes": ([FIRST, SECOND, NOT_FIRST], [SECOND, NOT_FIRST], [[], [], []]),
    "the newest is no particular version": ([FIRST, NEWEST, SECOND], [FIRST, NEWEST, SECOND], [[], [], []]),
    "unloading all leaves nothing before it": (
        [SENT, SECOND, OTHER, NONE],
        [OTHER, NONE],
        [[], [], [], [SENT.folder, SECOND.folder]],
    ),
    "loading after that adds to it": ([FIRST, NONE, SECOND], [NONE, SECOND], [[], [], []]),
    "the newest is loaded after all were unloaded": ([NONE, NEWEST], [NONE, NEWEST], [[], []]),
    "the newest is loaded again": ([NEWEST, FIRST, NEWEST], [FIRST, NEWEST], [[], [], []]),
}


@pytest.mark.parametrize(("changes", "left", "folders"), STORIES.values(), ids=STORIES.keys())
def test_what_is_left(changes: list[Change], left: list[Change], folders: list[list[str]]) -> None:
    journal = Journal()
    assert [journal.add(change) for change in changes] == folders
    assert journal.changes == left


@pytest.mark.parametrize("change", [FIRST, SENT, SECOND, NEWEST, NOT_FIRST, NONE])
def test_a_change_comes_through_json_as_it_was(change: Change) -> None:
    assert Change.from_json(change.to_json()) == change

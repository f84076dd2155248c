"""Lists, page by page."""

import base64
from collections.abc import Sequence

import pytest

from numbatch.repository.snapshot import Entry
from numbatch.serving.paging import page
from numbatch.v1.repository_pb2 import MODEL_STATE_UNLOADED
from numbatch.wire.errors import InvalidArgumentError


def entries(*numbers: int) -> list[Entry]:
    return [Entry("net", number, MODEL_STATE_UNLOADED) for number in numbers]


def numbers(page_of: Sequence[Entry]) -> list[int]:
    return [entry.version for entry in page_of]


@pytest.mark.parametrize(("size", "pages"), [(0, [5]), (1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_the_pages_together_are_the_list(size: int, pages: list[int]) -> None:
    everything = entries(1, 2, 3, 4, 10)
    seen: list[Entry] = []
    token, lengths = "", []
    while True:
        chosen, token = page(everything, size, token)
        seen += chosen
        lengths.append(len(chosen))
        if not token:
            break
    assert (seen, lengths) == (everything, pages)


def test_a_page_has_at_most_1000_entries() -> None:
    chosen, token = page(entries(*range(1, 1002)), 5000, "")
    assert (len(chosen), bool(token)) == (1000, True)


def test_nothing_is_one_empty_page() -> None:
    assert page([], 10, "") == ([], "")


def test_changes_between_pages_neither_repeat_nor_hide_others() -> None:
    first, token = page(entries(1, 2, 5, 6), 2, "")
    second, _ = page(entries(2, 3, 5, 6), 2, token)
    assert (numbers(first), numbers(second)) == ([1, 2], [3, 5])


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="page_size: got -1"):
        page([], -1, "")


@pytest.mark.parametrize(
    "token", ["?", "AAAA", base64.b64encode(b"no slash").decode(), base64.b64encode(b"x/net").decode(), "\u00e9"]
)
def test_a_token_of_nobody_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page_token: not a page token"):
        page(entries(1), 1, token)

"""A long list, page by page, right also when the list changes between two pages."""

import base64
import binascii
from collections.abc import Sequence

from numbatch.repository.snapshot import Entry
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

MAX_PAGE_SIZE = 1000


def page(entries: Sequence[Entry], page_size: int, page_token: str) -> tuple[Sequence[Entry], str]:
    """Return a page and the token that asks for the next one, "" on the last.

    Parameters
    ----------
    entries : sequence of Entry
        All of them, ordered by name, then version.
    page_size : int
        At most so many; 0 or more than 1000: 1000.
    page_token : str
        What the page before came with; "" for the first. It names the last entry of that page, so entries that come and
        go meanwhile neither repeat others nor hide them.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if the size is negative or the token is none of ours.
    """
    if page_size < 0:
        raise error(Reason.INVALID_FIELD, field="page_size", got=page_size, expected="0 (up to 1000) or more")
    size = min(page_size or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    if page_token:
        last = _decode(page_token)
        entries = [entry for entry in entries if (entry.name, entry.version) > last]
    chosen = entries[:size]
    return chosen, _encode(chosen[-1]) if len(entries) > size else ""


def _encode(entry: Entry) -> str:
    return base64.urlsafe_b64encode(f"{entry.version}/{entry.name}".encode()).decode()


def _decode(token: str) -> tuple[str, int]:
    try:
        version, slash, name = base64.b64decode(token, b"-_", validate=True).decode().partition("/")
        if slash and version.isdecimal():
            return name, int(version)
    except (binascii.Error, ValueError):
        pass
    expected = "a next_page_token of this server"
    raise error(Reason.INVALID_FIELD, "not a page token", field="page_token", got=repr(token[:80]), expected=expected)

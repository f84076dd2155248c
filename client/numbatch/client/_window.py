"""What of a stream has no result yet. Pure: it decides what is sent, and what is sent again; others send it.

Every minibatch that was taken from the caller's source is an entry, in the order of the source, from when it is taken
until its result is given. Requests are sent in that order; a call that breaks has lost those without an answer, and the
next call gets them again, in the same order. Nothing that was answered is among them.
"""

from collections import deque
from dataclasses import dataclass

from numbatch.client._answers import Expected
from numbatch.wire.errors import NumbatchError


@dataclass(frozen=True)
class Request:
    """A minibatch for the server: its request, and what the answer should be."""

    expected: Expected
    data: bytes


@dataclass(frozen=True)
class Ended:
    """The end of the source, or what the source has raised."""

    raised: BaseException | None = None


# A NumbatchError is the result of a minibatch that the client refuses itself.
Entry = Request | NumbatchError | Ended


class Window:
    """The entries without a result, at most `size` of them.

    Parameters
    ----------
    size : int
        1 or more.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: deque[Entry] = deque()
        self._sent = 0  # of the entries, from the left, so many are done with on the current call

    @property
    def has_room(self) -> bool:
        """Whether another minibatch may be taken from the source."""
        return len(self._entries) < self._size and not self.has_end

    @property
    def has_end(self) -> bool:
        """Whether the source has ended."""
        return bool(self._entries) and isinstance(self._entries[-1], Ended)

    @property
    def first(self) -> Entry | None:
        """The entry whose result is next, if there is one."""
        return self._entries[0] if self._entries else None

    @property
    def has_unsent(self) -> bool:
        """Whether `next_request` has something, or the end is yet to be told."""
        return self._sent < len(self._entries)

    def add(self, entry: Entry) -> None:
        """Take in what the source gave."""
        self._entries.append(entry)

    def next_request(self) -> bytes | None:
        """Return the next request to be sent on the current call; None if there is none now."""
        while self._sent < len(self._entries):
            entry = self._entries[self._sent]
            if isinstance(entry, Ended):
                return None
            self._sent += 1
            if isinstance(entry, Request):
                return entry.data
        return None

    def answered(self) -> None:
        """Let go of the first entry: its result is known."""
        self._entries.popleft()
        self._sent = max(0, self._sent - 1)

    def broken(self) -> None:
        """Begin again: the current call has ended, and what has no answer is for the next one."""
        self._sent = 0

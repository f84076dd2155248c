"""Who asked for what, how it ended, and what should not have happened."""

import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager

# Of each problem, so many are told in full.
_MOST_TOLD = 5


class Wrong(AssertionError):
    """An answer that is not what it must be."""


class Ledger:
    """Counts outcomes; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.problems: list[str] = []
        self.problem_count = 0

    def note(self, kind: str, outcome: str, times: int = 1) -> None:
        """Count what happened as it may."""
        with self._lock:
            self.outcomes[kind][outcome] += times

    def complain(self, kind: str, problem: str) -> None:
        """Count what must not happen."""
        with self._lock:
            self.outcomes[kind]["PROBLEM"] += 1
            self.problem_count += 1
            if self.outcomes[kind]["PROBLEM"] <= _MOST_TOLD:
                self.problems.append(f"{kind}: {problem}")

    @contextmanager
    def entry(self, kind: str, allowed: Collection[str] = ()) -> Iterator[None]:
        """Count how the block ends: "answered", or the reason of its error, a problem where that is not allowed."""
        try:
            yield
        except Exception as failed:
            name = str(getattr(failed, "reason", "")) or type(failed).__name__
            if name in allowed:
                self.note(kind, name)
            else:
                self.complain(kind, f"{type(failed).__name__}: {failed}")
        else:
            self.note(kind, "answered")

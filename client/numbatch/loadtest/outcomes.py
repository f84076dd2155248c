"""What became of requests, by the status that gRPC reports."""

from collections import Counter
from typing import Literal, get_args

from numbatch.loadtest.results import Outcomes

Outcome = Literal["ok", "refused", "deadline", "unavailable", "mismatch", "failed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED, _UNAVAILABLE = 4, 8, 14
_BY_CODE: dict[int, Outcome] = {
    0: "ok",
    _DEADLINE_EXCEEDED: "deadline",
    _RESOURCE_EXHAUSTED: "refused",
    _UNAVAILABLE: "unavailable",
}

# Distinct texts that are kept; servers that put numbers into theirs must not fill the memory.
_KEPT_TEXTS = 20
_OTHERS = "(other errors)"


def outcome_of(code: int) -> Outcome:
    """Return the outcome that a status code means."""
    return _BY_CODE.get(code, "failed")


class ErrorTexts:
    """How often each error was told."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, text: str, times: int = 1) -> None:
        """Take note of one."""
        if text not in self.counts and len(self.counts) >= _KEPT_TEXTS:
            text = _OTHERS
        self.counts[text] += times


def outcomes(counts: dict[str, int]) -> Outcomes:
    """Return counts by outcome as part of the results."""
    return Outcomes(**{name: counts.get(name, 0) for name in OUTCOMES})

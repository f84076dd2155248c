"""Damaged messages through a target: what became of them, and what is left of them."""

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from fuzz.fields import rearranged
from support.mutations import mutated

# Takes a message, and returns in a word what became of it; raises if that is not as it should be.
Target = Callable[[bytes], str]

# Messages, how many are wanted, and a seed -> damaged ones.
Rearrange = Callable[[Sequence[bytes], int, int], Iterator[bytes]]

# A message takes some tens of microseconds.
_SLOW_S = 2.0

# After so much of them, caches are full and memory has found its shape.
_WARM_UP = 0.25
_MOST_BLOCKS = 2000
_MOST_BYTES = 8 * 2**20

# One is enough to look at; thousands would be the same.
_MOST_FINDINGS = 20


@dataclass(frozen=True)
class Finding:
    """What went wrong, and with which message, if it was one."""

    problem: str
    data: bytes | None = None


@dataclass
class Outcome:
    """What became of the messages."""

    words: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    grown_bytes: int = 0
    grown_blocks: int = 0

    def __str__(self) -> str:
        words = ", ".join(f"{word} {count}" for word, count in self.words.most_common())
        grown = f"grew by {self.grown_bytes // 1024} KiB and {self.grown_blocks} blocks"
        return f"{len(self.findings)} findings in {self.seconds:.1f} s; {grown}; {words}"


def run(
    target: Target,
    messages: Sequence[bytes],
    *,
    count: int,
    seed: int,
    rearrange: Rearrange = rearranged,
    slow_s: float = _SLOW_S,
) -> Outcome:
    """Give a target so many messages, and say what became of them."""
    outcome = Outcome()
    began = time.perf_counter()
    before = _held()
    for number, data in enumerate(damaged(messages, count, seed, rearrange)):
        if number == int(count * _WARM_UP):
            before = _held()
        start = time.perf_counter()
        try:
            outcome.words[target(data)] += 1
        except Exception as wrong:
            outcome.findings.append(Finding(f"message {number}: {type(wrong).__name__}: {wrong}", data))
        took = time.perf_counter() - start
        if took > slow_s:
            outcome.findings.append(Finding(f"message {number} took {took:.1f} s", data))
        if len(outcome.findings) >= _MOST_FINDINGS:
            break
    outcome.seconds = time.perf_counter() - began
    after = _held()
    outcome.grown_bytes, outcome.grown_blocks = (now - then for now, then in zip(after, before, strict=True))
    if outcome.grown_bytes > _MOST_BYTES or outcome.grown_blocks > _MOST_BLOCKS:
        outcome.findings.append(Finding(f"it leaks: {outcome}"))
    return outcome


def damaged(messages: Sequence[bytes], count: int, seed: int, rearrange: Rearrange) -> Iterator[bytes]:
    """Return messages whose bytes are damaged, and as many whose parts are, in turn."""
    by_bytes = mutated(messages, count - count // 2, seed)
    by_parts = rearrange(messages, count // 2, seed)
    for one, other in zip_longest(by_bytes, by_parts):
        yield one
        if other is not None:
            yield other


def _held() -> tuple[int, int]:
    """Return the resident bytes and the blocks of Python's own memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096, sys.getallocatedblocks()

"""The messages of a run, made beforehand, and the answers that are right, in a folder that all processes read.

Requests lie in one file, one after the other, which each process maps into its memory: there is one copy however many
processes there are, and nothing is encoded while times are taken.
"""

import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.loadtest.data import Rows
from numbatch.loadtest.protocol import Model, Protocol
from numbatch.loadtest.verification import Verifier
from numbatch.wire.tensors import Array

# The order in which models take turns repeats after so many messages.
_ROUND = 4096


@dataclass(frozen=True)
class Part:
    """The messages to one model.

    Attributes
    ----------
    model : Model
        Which.
    version : int
        The version that requests name; 0: whatever is newest.
    weight : float
        How often it is asked, in proportion to the others.
    rows : dict of str to ndarray
        What is sent.
    bounds : ndarray of int
        Message i has the rows from `bounds[i]` to `bounds[i + 1]`.
    expected : dict of str to ndarray, or None
        The outputs for these rows. None: answers are not looked at.
    tolerance : float
        How far from them answers may be, as in `difference`.
    """

    model: Model
    version: int
    weight: float
    rows: Rows
    bounds: Array
    expected: Rows | None
    tolerance: float = 0.0

    @property
    def messages(self) -> int:
        """How many there are."""
        return len(self.bounds) - 1

    def inputs(self, message: int) -> Rows:
        """Return what a message brings."""
        start, end = self.bounds[message], self.bounds[message + 1]
        return {name: np.ascontiguousarray(array[start:end]) for name, array in self.rows.items()}


def split(rows: Rows, rows_per_message: int) -> Array:
    """Return the bounds of messages; the last may have fewer rows."""
    total = len(next(iter(rows.values())))
    return np.append(np.arange(0, total, rows_per_message), total)


def write_library(folder: Path, parts: Sequence[Part], protocol: Protocol, *, streamed: bool, seed: int) -> None:
    """Make all messages and write them into a folder."""
    offsets = [0]
    with (folder / "requests.bin").open("wb") as file:
        for part in parts:
            for message in range(part.messages):
                arrays = part.inputs(message)
                offsets.append(
                    offsets[-1] + file.write(protocol.request(part.model.name, part.version, arrays, streamed=streamed))
                )
    np.save(folder / "offsets.npy", np.array(offsets))
    np.save(folder / "order.npy", _order(parts, seed))
    for i, part in enumerate(parts):
        np.save(folder / f"bounds_{i}.npy", part.bounds)
        for j, array in enumerate((part.expected or {}).values()):
            np.save(folder / f"expected_{i}_{j}.npy", array)
    described = [
        {
            "messages": part.messages,
            "expected": None if part.expected is None else list(part.expected),
            "tolerance": part.tolerance,
        }
        for part in parts
    ]
    (folder / "parts.json").write_text(json.dumps(described))


class Library:
    """The messages in a folder, by their numbers."""

    def __init__(self, folder: Path) -> None:
        with (folder / "requests.bin").open("rb") as file:
            self._requests = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._offsets: list[int] = _read(folder / "offsets.npy").tolist()
        self._order: list[int] = _read(folder / "order.npy").tolist()
        self.rows: list[int] = []
        self._parts: list[tuple[int, Verifier | None]] = []  # the number of the first message
        for i, part in enumerate(json.loads((folder / "parts.json").read_text())):
            bounds = _read(folder / f"bounds_{i}.npy")
            verifier = None
            if part["expected"] is not None:
                names = enumerate(part["expected"])
                expected = {name: _read(folder / f"expected_{i}_{j}.npy", mapped=True) for j, name in names}
                verifier = Verifier(expected, bounds, part["tolerance"])
            self._parts += [(len(self.rows), verifier)] * part["messages"]
            self.rows += np.diff(bounds).tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def message(self, number: int) -> int:
        """Return which message the request with this number is."""
        return self._order[number % len(self._order)]

    def request(self, message: int) -> bytes:
        """Return its bytes."""
        return self._requests[self._offsets[message] : self._offsets[message + 1]]

    def verifier(self, message: int) -> tuple[Verifier | None, int]:
        """Return who judges the answers to a message, and which message of theirs it is."""
        first, verifier = self._parts[message]
        return verifier, message - first


def _order(parts: Sequence[Part], seed: int) -> Array:
    """Return which messages are sent, in order: of one model all in turn, of several as often as their weights say."""
    firsts = np.cumsum([0, *(part.messages for part in parts)])
    if len(parts) == 1:
        return np.arange(parts[0].messages)
    weights = np.array([part.weight for part in parts])
    # Shares as exact as whole numbers are, in an order drawn once.
    shares = np.diff(np.floor(np.cumsum([0, *weights]) / weights.sum() * _ROUND + 0.5).astype(int))
    turns = [
        first + np.arange(share) % part.messages for first, share, part in zip(firsts, shares, parts, strict=False)
    ]
    return np.random.default_rng(seed).permutation(np.concatenate(turns))


def _read(path: Path, *, mapped: bool = False) -> Any:
    return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)

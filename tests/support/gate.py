"""Holds up the computing of one model, until the test lets it go on."""

import threading
from typing import Any

import pytest

from numbatch.engine import LoadedModel

_TIMEOUT_S = 20


class Gate:
    """Stands before every batch of a model, once it is closed; batches of other models pass.

    Parameters
    ----------
    monkeypatch : MonkeyPatch
        Takes the gate away when the test ends.
    model : str
        The model. It must not have run before in its server: batches of which nothing is known run on a compute thread,
        not on the event loop, which would wait at the gate as well.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
        self._arrived = threading.Semaphore(0)
        self._open = threading.Event()
        self.rows: list[int] = []
        compute = LoadedModel.compute

        def wait(self_: LoadedModel, selection: Any, x: Any, rows: int, outputs: Any, **options: Any) -> None:
            if self_.name == model:
                self.rows.append(rows)
                self._arrived.release()
                assert self._open.wait(_TIMEOUT_S), "the gate was never opened"
            compute(self_, selection, x, rows, outputs, **options)

        monkeypatch.setattr(LoadedModel, "compute", wait)

    def wait_arrived(self) -> None:
        """Wait until one more batch stands before the gate or has passed it."""
        assert self._arrived.acquire(timeout=_TIMEOUT_S), "no batch came"

    def open(self) -> None:
        """Let all pass, from now on."""
        self._open.set()

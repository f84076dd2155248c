"""`numbatch serve` with a leak: the observer of every request keeps a KiB. It proves that the soak finds leaks."""

from typing import Any

from numbatch.cli.main import main
from numbatch.serving import app
from numbatch.serving.observer import Observer, RequestReport
from numbatch.serving.server import Server

_LEAK_BYTES = 1024


class Hoarder(Observer):
    """Keeps something of every request."""

    def __init__(self) -> None:
        self._kept: list[bytearray] = []

    def on_request(self, report: RequestReport) -> None:
        """Keep it, and memory that was written to."""
        self._kept.append(bytearray(b"x" * _LEAK_BYTES))


class LeakyServer(Server):
    """A server with such an observer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, observer=Hoarder(), **options)


if __name__ == "__main__":
    app.Server = LeakyServer  # type: ignore[misc]
    main()

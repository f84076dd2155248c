"""What is asked of every contender: a network, rows in a message, how many messages at once, how many workers."""

from typing import NamedTuple

from benchmarks.grid import Network

MNIST = Network("784-512-512-10", (784, 512, 512, 10), "linear")
SMALL = Network("64-128-64-10", (64, 128, 64, 10), "linear")
# So much work for a message that it is the processors that are short, not the transport.
HEAVY = Network("64-4x1024-10", (64, 1024, 1024, 1024, 1024, 10), "linear")
NETWORKS = (MNIST, SMALL, HEAVY)


class Case(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    network : Network
        That is asked.
    rows : int
        In each message.
    in_flight : int
        Messages that are sent before the first of them is answered.
    streamed : bool
        All on one stream; else calls of their own.
    workers : int
        Processes of the server.
    """

    network: Network
    rows: int
    in_flight: int
    streamed: bool = False
    workers: int = 1

    @property
    def name(self) -> str:
        """As it is reported and chosen, like "784-512-512-10 rows=32 unary=8"."""
        mode = "stream" if self.streamed else "unary"
        workers = f" workers={self.workers}" if self.workers > 1 else ""
        return f"{self.network.name} rows={self.rows} {mode}={self.in_flight}{workers}"

    @property
    def connections(self) -> int:
        """Connections that the messages are spread over: one connection is one worker's, and has its own flow."""
        return 1 if self.streamed else max(1, min(8, self.in_flight // 8))


def cases() -> list[Case]:
    """Return all of them, those of one worker first."""
    modes = ((1, False), (8, False), (64, False), (8, True))
    found = [Case(MNIST, rows, in_flight, streamed) for rows in (1, 32, 256) for in_flight, streamed in modes]
    found += [Case(SMALL, 1, in_flight, streamed) for in_flight, streamed in modes]
    return found + [Case(MNIST, rows, 64, workers=2) for rows in (1, 32)]

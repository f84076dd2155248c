"""One round: a server, all who use and misuse it for a time, and what is left of it."""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from soak.callers import Callers
from soak.cast import Question, questions, write_repository
from soak.ledger import Ledger
from soak.operators import Operators
from soak.process import Served, server_process
from soak.samples import Sample, Sampler
from soak.trend import Growth, growth
from soak.vandals import Vandals
from support.aftermath import metrics, total, unharmed


@dataclass(frozen=True)
class Allowed:
    """How much a level may grow: a step until everything was seen once, and a rate."""

    step: float
    per_hour: float


# Of all processes of a server together. Series: of /metrics, where labels that callers make up would show.
ALLOWED = {
    "memory_mib": Allowed(6, 1),
    "descriptors": Allowed(6, 0.1),
    "threads": Allowed(4, 0.1),
    "tasks": Allowed(10, 0.1),
    "series": Allowed(150, 1),
}


@dataclass
class Round:
    """How a round went."""

    name: str
    seconds: float
    processes: int = 1
    requests: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    growths: dict[str, Growth] = field(default_factory=dict)

    @property
    def leaks(self) -> list[str]:
        """The levels that grow."""
        return [
            name
            for name, grown in self.growths.items()
            if grown.exceeds(ALLOWED[name].step * self.processes, ALLOWED[name].per_hour * self.processes)
        ]

    @property
    def is_well(self) -> bool:
        """Whether nothing leaks and nothing went wrong."""
        return not self.leaks and not self.ledger.problem_count


def play(name: str, seconds: float, *, workers: int = 1, leaky: bool = False, seed: int = 1) -> Round:
    """Soak a server for some seconds."""
    played = Round(name, seconds, processes=workers)
    asked = questions(seed)
    with tempfile.TemporaryDirectory(prefix="numbatch-soak-") as folder:
        repository, log = Path(folder, "models"), Path(folder, "log")
        write_repository(repository)
        try:
            with server_process(repository, log, workers=workers, leaky=leaky) as served:
                with unharmed(served.address, served.http_address, served.pids):
                    sampler = _load(served, repository, asked, played, seed)
                played.requests = total(metrics(served.http_address), "numbatch_requests_total")
            _judge(played, sampler)
        except (AssertionError, RuntimeError, ValueError) as wrong:
            played.ledger.complain("the server", str(wrong))
        if "Traceback" in (said := log.read_text()):
            at = said.index("Traceback")
            played.ledger.complain("the server's log", said[max(at - 300, 0) : at + 1500])
    return played


def _load(served: Served, repository: Path, asked: Sequence[Question], played: Round, seed: int) -> Sampler:
    ledger, rng = played.ledger, random.Random(seed)
    sampler = Sampler(served, lambda problem: ledger.complain("looking at the server", problem))
    vandals = Vandals(served.address, asked, ledger, seed)
    operators = Operators(served.address, repository, ledger, rng)
    helpers: Sequence[Sampler | Vandals | Operators] = [sampler, vandals, operators]

    async def call() -> None:
        callers = Callers(served.address, asked, ledger, rng)
        calling = asyncio.create_task(callers.run())
        await asyncio.wait([calling], timeout=played.seconds)
        callers.stop()
        await calling

    for helper in helpers:
        helper.start()
    try:
        asyncio.run(call())
    finally:
        for helper in helpers:
            helper.stop()
    return sampler


def _judge(played: Round, sampler: Sampler) -> None:
    for number, name in enumerate(Sample._fields):
        played.growths[name] = growth(sampler.times, [sample[number] for sample in sampler.samples])

"""One round: a server, all who use and misuse it for a time, and what is left of it."""

import asyncio
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from soak.callers import Callers
from soak.cast import questions, write_repository
from soak.ledger import Ledger
from soak.operators import Operators
from soak.process import Served, server_process
from soak.samples import Sample, at_rest
from soak.trend import Growth, growth
from soak.vandals import Vandals
from support.aftermath import BUSY, metrics, settled, total, unharmed

_LOAD_S = 3.0
# On a slow machine, a round takes longer rather than see too little.
_LEAST_CYCLES = 7


@dataclass(frozen=True)
class Allowed:
    """How much a level may grow: a step until everything was seen once, and a rate."""

    step: float
    per_hour: float


# Of each process of a server. What leaks is seen in what is in use, of the heap and of Python's own blocks. What is
# resident has to do with fragments too: in five minutes it went from 90 to 110 MiB while the heap in use stayed at 31.
# Series: of /metrics, where labels that callers make up would show.
ALLOWED = {
    "heap_mib": Allowed(2, 1),
    "python_blocks": Allowed(10_000, 5_000),
    "resident_mib": Allowed(64, 1),
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
    times: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
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
    with tempfile.TemporaryDirectory(prefix="numbatch-soak-") as folder:
        repository, log = Path(folder, "models"), Path(folder, "log")
        write_repository(repository)
        try:
            with server_process(repository, log, workers=workers, leaky=leaky) as served:
                with unharmed(served.address, served.http_address, served.pids):
                    _load_and_rest(served, repository, played, seed)
                played.requests = total(metrics(served.http_address), "numbatch_requests_total")
        except (AssertionError, RuntimeError, ValueError) as wrong:
            played.ledger.complain("the server", str(wrong))
        if "Traceback" in (said := log.read_text()):
            at = said.index("Traceback")
            played.ledger.complain("the server's log", said[max(at - 300, 0) : at + 1500])
    return played


def _load_and_rest(served: Served, repository: Path, played: Round, seed: int) -> None:
    """Let everybody do what they do for some seconds, then nobody, again and again."""
    asked = questions(seed)
    times, samples = played.times, played.samples
    operators = Operators(served.address, repository, played.ledger, random.Random(seed))
    began = time.monotonic()
    with asyncio.Runner() as runner:
        while time.monotonic() < began + played.seconds or len(times) < _LEAST_CYCLES:
            cycle_seed = seed + len(times)
            vandals = Vandals(served.address, asked, played.ledger, cycle_seed)
            vandals.start()
            operators.start()
            try:
                callers = Callers(served.address, asked, played.ledger, random.Random(cycle_seed))
                runner.run(callers.run(_LOAD_S))
            finally:
                vandals.stop()
                operators.stop()
            settled(lambda: not total(metrics(served.http_address), *BUSY), "something stays in flight")
            samples.append(at_rest(served, samples))
            times.append(time.monotonic())
    played.seconds = times[-1] - began
    for number, name in enumerate(Sample._fields):
        played.growths[name] = growth(times, [sample[number] for sample in samples])

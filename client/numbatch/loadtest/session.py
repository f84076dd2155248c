"""A server that is ready to be asked, and generator processes that are ready to ask it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np

from numbatch.client._address import Target
from numbatch.client._security import Security, Tls, Token
from numbatch.loadtest.channel import blocking_call, open_channel
from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.loads import Load, loads
from numbatch.loadtest.orders import Connection
from numbatch.loadtest.preparation import Prepared, prepare
from numbatch.loadtest.processes import GeneratorProcesses
from numbatch.loadtest.progress import OnProgress
from numbatch.loadtest.results import Mismatch, Step
from numbatch.loadtest.runner import Runner
from numbatch.loadtest.workload import Workload

_METRICS_PORT = 8002


@dataclass(frozen=True, eq=False)
class Session:
    """What is ready; `opened` makes it.

    Attributes
    ----------
    workload : Workload
        What is to be done.
    target : Target
        Whom it is done to.
    prepared : Prepared
        The messages.
    metrics_address : str
        Where the server's metrics are; "": nowhere.
    """

    workload: Workload
    target: Target
    prepared: Prepared
    metrics_address: str
    _processes: GeneratorProcesses
    _runner: Runner

    @property
    def interrupted(self) -> bool:
        """Whether the last step was ended early, by Ctrl-C."""
        return self._processes.interrupted

    @property
    def mismatches(self) -> list[Mismatch]:
        """The wrong answers so far."""
        return self._runner.mismatches

    def planned(self) -> list[Load]:
        """Return the steps of the workload, if it is no search."""
        return loads(self.workload, self.prepared.messages)

    def run(self, load: Load, number: int = 1, of: int | None = None) -> Step:
        """Run a step; any number of them may be run.

        Parameters
        ----------
        load : Load
            Which.
        number, of : int, int or None
            Its number, from 1, and how many there are, for those who look on.
        """
        return self._runner.run(load, number, of)


@contextmanager
def opened(
    workload: Workload,
    *,
    server: str | Sequence[str] | None = None,
    tls: bool | Tls | None = None,
    token: Token | None = None,
    allow_plaintext_token: bool = False,
    on_progress: OnProgress = lambda _: None,
) -> Iterator[Session]:
    """Prepare a load test, and end its processes in the end. Parameters and errors are those of `run`."""
    target = Target.of(server)
    security = Security.checked(target, tls, token, allow_plaintext_token=allow_plaintext_token)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="numbatch-loadtest-")))
        # Before this process has threads of gRPC's.
        processes = stack.enter_context(GeneratorProcesses(workload.number_of_processes))
        with closing(open_channel(grpc, target, security)) as channel:
            prepared = prepare(workload, blocking_call(channel, target, security, workload.timeout_s), folder)
        schedule = _schedule(workload, folder)
        processes.connect(
            Connection(
                server=target.text,
                protocol=workload.protocol,
                library=str(folder),
                connections=workload.connections,
                tls=_contents(tls),
                token=token() if callable(token) else token,
            )
        )
        metrics_address = _metrics_address(workload, target)
        runner = Runner(workload, prepared, processes, metrics_address, schedule, on_progress)
        yield Session(workload, target, prepared, metrics_address, processes, runner)


def _schedule(workload: Workload, folder: Path) -> Path | None:
    given = workload.schedule
    if given is None:
        return None
    try:
        if not isinstance(given, (str, Path)):
            times = np.asarray(given, np.float64)
        elif Path(given).suffix == ".npy":
            times = np.load(given, allow_pickle=False)
        else:
            times = np.loadtxt(given, np.float64, ndmin=1)
    except ValueError as wrong:
        raise WorkloadError(f"schedule: expected times in seconds, one on each line: {wrong}") from wrong
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
        raise WorkloadError("schedule: expected times in seconds, one after the other")
    path = folder / "schedule.npy"
    np.save(path, times.astype(np.float64))
    return path


def _metrics_address(workload: Workload, target: Target) -> str:
    if workload.metrics is not None:
        return workload.metrics
    if target.is_balanced or target.text.startswith("unix:"):
        return ""
    return f"{target.text.rpartition(':')[0]}:{_METRICS_PORT}"


def _contents(tls: bool | Tls | None) -> dict[str, str | None] | bool | None:
    if not isinstance(tls, Tls):
        return tls
    read = {name: getattr(tls, name) for name in ("root_certificates", "certificate", "private_key")}
    pem = {name: _text(given) for name, given in read.items()}
    return {**pem, "target_name_override": tls.target_name_override}


def _text(pem: object) -> str | None:
    if pem is None:
        return None
    return pem.decode() if isinstance(pem, bytes) else Path(str(pem)).read_text(encoding="utf-8")

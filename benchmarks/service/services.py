"""Contenders that run: started until they answer, asked by load tests, stopped."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.grid import Network
from benchmarks.service.contenders import Contender
from benchmarks.service.processes import Process, free_port, wait_for_port
from numbatch.loadtest.protocols import protocol_named

# Ray takes a quarter of a minute.
_PATIENCE_S = 90.0


@dataclass(frozen=True, eq=False)
class Service:
    """A contender that answers.

    Attributes
    ----------
    contender : Contender
        Which.
    address : str
        Where it listens.
    processes : sequence of Process
        It.
    start_s : float
        From the start of its process to its first answer.
    """

    contender: Contender
    address: str
    processes: Sequence[Process]
    start_s: float

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used."""
        return sum(process.cpu_s() for process in self.processes)


@contextlib.contextmanager
def started(contender: Contender, networks: Sequence[Network], workers: int, folder: Path) -> Iterator[Service]:
    """Start a contender, wait until it answers, and stop it in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = contender.serve(folder, networks, port, workers)
    start = time.monotonic()
    processes: list[Process] = []
    try:
        for number, line in enumerate(command.processes):
            processes.append(Process(line, folder / f"{number}.log", command.environment))
        wait_for_port(port, processes[0], _PATIENCE_S)
        _await_answer(contender, networks[0], f"127.0.0.1:{port}", processes[0])
        yield Service(contender, f"127.0.0.1:{port}", processes, time.monotonic() - start)
    finally:
        for process in processes:
            process.stop()


def _await_answer(contender: Contender, network: Network, address: str, process: Process) -> None:
    """Ask until it answers: some listen before they can."""
    protocol, model = protocol_named(contender.protocol), next(iter(contender.forms(network, False).values()))
    request = protocol.request(model, 0, {contender.tensors(network)[0]: network.batch(1)}, streamed=False)
    end = time.monotonic() + _PATIENCE_S
    with grpc.insecure_channel(address) as channel:
        while True:
            process.check()
            try:
                channel.unary_unary(protocol.infer_method)(request, timeout=5)
                return
            except grpc.RpcError as not_yet:
                if time.monotonic() > end:
                    raise RuntimeError(f"{contender.name} does not answer: {not_yet}; see {process.log}") from not_yet
                time.sleep(0.02)

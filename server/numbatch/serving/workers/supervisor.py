"""The supervisor: starts the workers, keeps them running, lets them change together, and ends them."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from numbatch.kernels.processors import MOST_THREADS, available_cpus
from numbatch.serving.config import ServerConfig
from numbatch.serving.config.workers import MOST_WORKERS
from numbatch.serving.info import ServerInfo
from numbatch.serving.logs import configure_logs
from numbatch.serving.workers.changing import Changing
from numbatch.serving.workers.handover import failure_from_json, info_from_json
from numbatch.serving.workers.ports import reserved_ports
from numbatch.serving.workers.process import WorkerProcess
from numbatch.serving.workers.restarts import Restarts
from numbatch.serving.workers.runtime_directory import RuntimeDirectory, runtime_directory
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)

# Workers end themselves some seconds after the grace period, whatever holds them up; those that cannot are killed.
_BEYOND_GRACE_S = 7.0

# Workers that listen are asked whether they are there; a loop may well be busy for seconds, but not for a minute. From
# then on the others wait for them when models are changed.
_PING_S = 5.0
_MOST_UNANSWERED = 12

_EX_SOFTWARE = 70

_SIGNAL_NAMES = {number.value: number.name for number in signal.Signals}


def supervise(config: ServerConfig, *, on_ready: Callable[[ServerInfo], None] = lambda _: None) -> None:
    """Be the supervisor of several workers until SIGTERM or SIGINT; then let them finish what is in progress.

    It must be called on the main thread. A second signal ends all at once, with status 128 and the signal's number; if
    not all workers ended in good order, it is status 70.

    Parameters
    ----------
    config : ServerConfig
        What the server is told.
    on_ready : callable
        Called once all workers have been ready.

    Raises
    ------
    OSError
        If the address cannot be had, or what a worker raised when it was started for the first time.
    NumbatchError
        The same; INTERNAL if workers end without a word.
    """
    configure_logs(config.log_level, config.log_format)
    processors = available_cpus()
    workers = config.workers or min(processors, MOST_WORKERS)
    threads = config.compute_threads or min(max(1, processors // workers), MOST_THREADS)
    with (
        reserved_ports(replace(config, workers=workers, compute_threads=threads)) as told,
        runtime_directory(config.runtime_directory, config.models_folder) as runtime,
    ):
        asyncio.run(Supervisor(told, runtime, on_ready).run())


class Supervisor:
    """Supervises, on the event loop of the main thread.

    Parameters
    ----------
    config : ServerConfig
        What workers are told: how many they are, the address that is reserved, their threads.
    runtime : RuntimeDirectory
        What they share.
    on_ready : callable
        Called once all have been ready.
    """

    def __init__(self, config: ServerConfig, runtime: RuntimeDirectory, on_ready: Callable[[ServerInfo], None]) -> None:
        self._config = config
        self._runtime = runtime
        self._on_ready = on_ready
        self._was_ready = False
        self._in_order = True
        self._failure: Exception | None = None
        self._stopping = asyncio.Event()
        self._workers: dict[int, WorkerProcess] = {}
        self._changing = Changing(self._workers)
        self._watching: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep the workers running until a signal comes, or one of them cannot be started."""
        with self._signals():
            kept = [asyncio.create_task(self._keep(number)) for number in range(1, self._config.workers + 1)]
            await asyncio.wait(kept, return_when=asyncio.FIRST_EXCEPTION)
            self._stopping.set()
            await asyncio.wait(kept)
        failures = [task.exception() for task in kept] + [self._failure]
        for failure in failures:
            if failure is not None:
                raise failure
        _log.info("stopped")
        if not self._in_order:
            sys.exit(_EX_SOFTWARE)

    async def _keep(self, number: int) -> None:
        """Keep one worker running."""
        restarts = Restarts()
        while not self._stopping.is_set():
            try:
                worker = await WorkerProcess.spawn(number, self._runtime.metrics)
            except OSError as failed:
                if not self._was_ready:
                    raise
                _log.error("worker=%(worker)d cannot be started: %(problem)s", {"worker": number, "problem": failed})
                restarts = restarts.died(0)
                await self._pause(number, restarts)
                continue
            # In one step: every change is in the journal that it is told, or told to it later.
            self._workers[number] = worker
            worker.tell(self._config, self._runtime, self._changing.journal.changes)
            _log.info("worker=%(worker)d pid=%(pid)d started", worker.log_fields)
            hearing = asyncio.create_task(self._hear(worker))
            if not await self._stops_within(None, worker):
                await asyncio.wait({hearing})  # its last words
                self._end_of(worker, "ended")
                restarts = restarts.died(worker.ready_s)
                self._give_up(worker, restarts)
                await self._pause(number, restarts)
                continue
            await self._end(worker)

    async def _pause(self, number: int, restarts: Restarts) -> None:
        """Wait until a worker is to be started again."""
        _log.warning("worker=%(worker)d restarts delay_s=%(delay_s)g", {"worker": number, "delay_s": restarts.delay_s})
        await self._stops_within(restarts.delay_s)

    async def _stops_within(self, seconds: float | None, worker: WorkerProcess | None = None) -> bool:
        """Wait until the supervisor is to stop; False if the time has passed, or the worker has ended, before."""
        stopping = asyncio.create_task(self._stopping.wait())
        waiting = {stopping} | ({worker.ended} if worker else set())
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return self._stopping.is_set()

    def _give_up(self, worker: WorkerProcess, restarts: Restarts) -> None:
        """Raise why the service cannot start, if that is so."""
        if worker.failure is not None and not self._was_ready:
            raise worker.failure
        if restarts.is_hopeless(service_was_ready=self._was_ready):
            problem = f"worker {worker.number} ended {_manner(worker.ended.result())} before it was ready"
            hint = "its log says more; SIGKILL is often the system's, for want of memory"
            raise error(Reason.INTERNAL, f"{problem}, {restarts.deaths} times in a row", hint=hint)

    async def _end(self, worker: WorkerProcess) -> None:
        """Let a worker finish what it has, and end it."""
        worker.signal(signal.SIGTERM)
        within = self._config.drain_delay_s + self._config.shutdown_grace_s + _BEYOND_GRACE_S
        await asyncio.wait({worker.ended}, timeout=within)
        if not worker.ended.done():
            _log.critical(
                "worker=%(worker)d pid=%(pid)d did not end within_s=%(within_s)g and is killed",
                {**worker.log_fields, "within_s": within},
            )
            worker.signal(signal.SIGKILL)
            await worker.ended
        self._end_of(worker, "stopped")
        # One that had not begun dies of the signal.
        self._in_order &= worker.ended.result() in (0, -signal.SIGTERM)

    def _end_of(self, worker: WorkerProcess, how: str) -> None:
        del self._workers[worker.number]
        worker.channel.close()
        _forget_metrics(worker.pid, self._runtime.metrics)
        status = worker.ended.result()
        log = _log.info if how == "stopped" else _log.error
        fields = {**worker.log_fields, "how": how, "manner": _manner(status), **self._up()}
        log("worker=%(worker)d pid=%(pid)d %(how)s %(manner)s up=%(up)d/%(workers)d", fields)

    async def _hear(self, worker: WorkerProcess) -> None:
        """Take the messages of a worker until it has ended."""
        async for message in worker.channel:
            match message["kind"]:
                case "loaded":
                    worker.listens = True
                    worker.channel.send("listen")
                    self._begin_to_watch(worker)
                case "ready":
                    self._worker_is_ready(worker, info_from_json(message["info"]))
                case "pong":
                    worker.unanswered = 0
                case "failed":
                    worker.failure = failure_from_json(message["failure"])
                case "ask":
                    self._changing.begin(worker, message["number"])
                case "changed":
                    worker.answered("changed", message["number"], message["change"])
                case "made":
                    worker.answered("made", message["number"], message["problem"])

    def _worker_is_ready(self, worker: WorkerProcess, info: ServerInfo) -> None:
        worker.ready_at = time.monotonic()
        up = self._up()
        _log.info("worker=%(worker)d pid=%(pid)d ready up=%(up)d/%(workers)d", {**worker.log_fields, **up})
        if not self._was_ready and up["up"] == self._config.workers:
            self._was_ready = True
            _log.info("ready address=%(address)s workers=%(workers)d", {"address": info.address, **up})
            try:
                self._on_ready(info)
            except Exception as failure:  # whoever was to be told is gone
                self._failure = failure
                self._stopping.set()

    def _begin_to_watch(self, worker: WorkerProcess) -> None:
        watching = asyncio.create_task(self._watch(worker))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _watch(self, worker: WorkerProcess) -> None:
        """Kill a worker whose event loop does not answer any more; it would keep connections that it never serves."""
        while not worker.ended.done():
            await asyncio.wait({worker.ended}, timeout=_PING_S)
            if worker.unanswered >= _MOST_UNANSWERED:
                _log.critical("worker=%(worker)d pid=%(pid)d does not answer and is killed", worker.log_fields)
                worker.signal(signal.SIGKILL)
                return
            worker.unanswered += 1
            worker.channel.send("ping")

    def _up(self) -> dict[str, int]:
        up = sum(worker.ready_at is not None for worker in self._workers.values())
        return {"up": up, "workers": self._config.workers}

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGCHLD: self._reap,
            signal.SIGTERM: lambda: self._asked_to_stop(signal.SIGTERM),
            signal.SIGINT: lambda: self._asked_to_stop(signal.SIGINT),
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        self._reap()  # who ended before
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _reap(self) -> None:
        for worker in self._workers.values():
            worker.poll()
        if os.getpid() == 1:  # of a container: whoever loses its parent becomes our child
            _reap_strangers({worker.pid for worker in self._workers.values()})

    def _asked_to_stop(self, number: signal.Signals) -> None:
        if not self._stopping.is_set():
            _log.info("draining grace_s=%(grace_s)g", {"grace_s": self._config.shutdown_grace_s})
            self._stopping.set()
            return
        for worker in self._workers.values():
            worker.kill()
        shutil.rmtree(self._runtime.path, ignore_errors=True)
        os._exit(128 + number)


def _reap_strangers(own: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in own:
                return  # it ended just now, and has a signal of its own
            os.waitpid(found.si_pid, 0)


def _forget_metrics(pid: int, folder: Path) -> None:
    """Let what a process that has ended measured of the moment count no more."""
    with contextlib.suppress(ImportError):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _manner(status: int) -> str:
    return f"by {_SIGNAL_NAMES.get(-status, f'signal {-status}')}" if status < 0 else f"with status {status}"

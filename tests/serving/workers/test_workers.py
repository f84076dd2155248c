"""Two workers and their supervisor as processes: what they share, how they end, and what happens when one dies."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from numbatch.client import Client, NotFoundError, Reason, UnavailableError
from numbatch.engine import load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model
from support.http import get
from support.raw_calls import raw_calls, read_streamed, refusal, stream_request
from support.server import write_model
from support.tiny import tiny_model
from support.workers import Workers, children, is_there, serving_workers, wait_for_end, workers_process

ROWS = np.random.default_rng(7).standard_normal((37, 512)).astype(np.float32)


def wide_model(name: str = "wide", seed: int = 1) -> Model:
    """Return a model that is worth sharing: 2 MiB."""
    return Sequential([Input((512,)), Dense(1024, "relu"), Dense(10, "softmax")], seed=seed).to_message(name)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    write_model(repository, tiny_model())
    write_model(repository, wide_model())
    return repository


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    return runtime


def arenas(workers: Workers) -> dict[int, set[str]]:
    """Return the inodes of the files with weights that each worker has mapped."""
    maps = {number: Path(f"/proc/{pid}/maps").read_text().splitlines() for number, pid in workers.pids.items()}
    return {number: {line.split()[4] for line in lines if line.endswith("/arena")} for number, lines in maps.items()}


def test_workers_share_the_port_and_one_copy_of_the_weights_and_give_the_same_bits(
    repository: Path, runtime: Path
) -> None:
    expected = load_model(wide_model()).infer(ROWS)
    with serving_workers("--model-repository", repository, "--runtime-directory", runtime) as workers:
        with workers.clients() as clients:
            assert sorted(clients) == [1, 2]
            for client in clients.values():
                assert client.infer("wide", ROWS).tobytes() == expected.tobytes()
        of_first, of_second = arenas(workers).values()
        assert len(of_first) == 1
        assert of_first == of_second
        # Every line of a worker's log says whose it is, and one file was packed by one of them.
        assert {number for (number,) in (line for line in map(_worker_of, workers.log) if line)} == {"1", "2"}
        assert workers.end(signal.SIGTERM) == 0
    assert list(runtime.iterdir()) == []


def _worker_of(line: str) -> tuple[str, ...]:
    return tuple(word.removeprefix("worker=") for word in line.split() if word.startswith("worker="))[:1]


def test_a_killed_worker_costs_no_request_and_is_replaced(repository: Path) -> None:
    with serving_workers("--model-repository", repository) as workers, workers.clients() as clients:
        enough, failures, answers = threading.Event(), [], []

        def ask(client: Client) -> None:
            while not enough.is_set():
                try:
                    answers.append(client.infer("tiny", [[1, 2]]).tolist())
                except Exception as failure:
                    failures.append(failure)

        asking = [threading.Thread(target=ask, args=(client,)) for client in clients.values()]
        for thread in asking:
            thread.start()
        workers.kill(1)
        enough.set()
        for thread in asking:
            thread.join()
        assert failures == []
        assert answers.count([[2, 4]]) == len(answers) > 0
        with workers.clients() as again:
            assert sorted(again) == [1, 2]


def requests(workers: Workers) -> float:
    """Return how many requests the metrics count."""
    lines = get(workers.http_address, "/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("numbatch_requests_total{"))


def test_workers_measure_into_one_folder_and_one_that_died_has_no_present(repository: Path, runtime: Path) -> None:
    with serving_workers("--model-repository", repository, "--runtime-directory", runtime) as workers:
        (metrics,) = runtime.glob("*/metrics")
        for pid in workers.pids.values():
            environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
            assert f"PROMETHEUS_MULTIPROC_DIR={metrics}" in environment
        with workers.clients() as clients:
            for client in clients.values():
                client.infer("tiny", [[1, 1]])
        # Whoever answers tells of all, once each has written down what it counted.
        while requests(workers) < len(clients):
            assert workers.popen.poll() is None
        # As prometheus_client names them.
        files = {pid: metrics / f"gauge_livesum_{pid}.db" for pid in workers.pids.values()}
        counter = metrics / f"counter_{workers.pids[1]}.db"
        for file in (*files.values(), counter):
            file.touch()
        killed, survivor = workers.pids[1], workers.pids[2]
        workers.kill(1)
        assert (files[killed].exists(), files[survivor].exists(), counter.exists()) == (False, True, True)


def test_models_are_changed_in_all_workers_and_in_those_to_come(repository: Path, runtime: Path) -> None:
    with serving_workers("--model-repository", repository, "--runtime-directory", runtime) as workers:
        with workers.clients() as clients:
            assert clients[1].load_model(tiny_model("sent", factor=3)).model_version == 1
            assert clients[2].load_model(tiny_model("sent", factor=4)).model_version == 2
            clients[2].unload_model("wide")
            for client in clients.values():
                assert client.infer("sent", [[1, 1]]).tolist() == [[4, 4]]
                assert client.infer("sent", [[1, 1]], version=1).tolist() == [[3, 3]]
                with pytest.raises(UnavailableError, match="it was unloaded"):
                    client.infer("wide", ROWS)
        # The last one that used the weights has removed them.
        assert list(arenas(workers).values()) == [set(), set()]
        assert list(runtime.glob("*/weights/*")) == []
        workers.kill(2)
        with workers.clients() as clients:
            assert clients[2].infer("sent", [[1, 1]]).tolist() == [[4, 4]]
            with pytest.raises(UnavailableError, match="it was unloaded"):
                clients[2].infer("wide", ROWS)
            # What is refused changes nothing anywhere, and is kept nowhere.
            with pytest.raises(NotFoundError):
                clients[1].load_model("nowhere")
            kept = len(list(runtime.glob("*/models/*")))
            clients[2].load_model(tiny_model("sent", factor=5), version=2)
            for client in clients.values():
                assert client.infer("sent", [[1, 1]]).tolist() == [[5, 5]]
            assert kept == 2


def test_a_worker_that_cannot_follow_the_others_is_replaced(repository: Path) -> None:
    with serving_workers("--model-repository", repository) as workers, workers.clients() as clients:
        folder = write_model(repository, tiny_model(factor=3), version=2)
        os.kill(workers.pids[2], signal.SIGSTOP)
        loading = threading.Thread(target=clients[1].load_model, args=("tiny",))
        loading.start()
        workers.find("worker=1 loaded model=tiny version=2")
        (folder / "model.binpb").unlink()
        folder.rmdir()
        os.kill(workers.pids[2], signal.SIGCONT)
        loading.join()
        workers.find("worker=2 .* cannot follow the others and is replaced: .*got version 1, expected version 2")
        workers.replaced(2)
        assert clients[1].infer("tiny", [[1, 1]]).tolist() == [[3, 3]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_all_workers_drain_and_nothing_is_left(
    repository: Path, runtime: Path, number: signal.Signals
) -> None:
    with serving_workers("--model-repository", repository, "--runtime-directory", runtime) as workers:
        with raw_calls(workers.address) as calls:
            more = threading.Event()

            def requests() -> Iterator[bytes]:
                yield stream_request("tiny", [[1, 1]], request_id="first")
                more.wait()

            answers = calls.stream(requests())
            assert read_streamed(next(answers))[0] == "first"
            workers.popen.send_signal(number)
            assert refusal(lambda: next(answers)).reason == Reason.SERVER_DRAINING
            more.set()
        assert workers.end() == 0
        assert not any(is_there(pid) for pid in workers.pids.values())
    assert list(runtime.iterdir()) == []


# Python runs it first, in every process: models take until nothing else of the worker is left to end.
LOADS_UNTIL_IT_ENDS = """
import sys, threading
if "numbatch.serving.workers.worker" in sys.orig_argv:
    from concurrent.futures import ThreadPoolExecutor
    from numbatch.repository.registry import Registry
    load, shutdown, ending = Registry.load, ThreadPoolExecutor.shutdown, threading.Event()

    def load_at_the_end(self, found):
        print("loading", file=sys.stderr, flush=True)
        ending.wait()
        load(self, found)

    def end(self, *args, **kwargs):
        ending.set()
        shutdown(self, *args, **kwargs)

    Registry.load, ThreadPoolExecutor.shutdown = load_at_the_end, end
"""


def test_workers_that_are_asked_to_end_while_they_load_end_without_a_word(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LOADS_UNTIL_IT_ENDS)
    with workers_process("--model-repository", repository, PYTHONPATH=str(tmp_path)) as process:
        assert process.stderr is not None
        loading = 0
        while loading < 2:
            loading += process.stderr.readline() == "loading\n"
        process.terminate()
        out, log = process.communicate(timeout=50)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in log


def test_a_second_signal_ends_all_at_once(repository: Path, runtime: Path) -> None:
    with serving_workers("--model-repository", repository, "--runtime-directory", runtime) as workers:
        os.kill(workers.pids[2], signal.SIGSTOP)  # it cannot drain
        workers.popen.send_signal(signal.SIGINT)
        workers.find("worker=1 .* stopped with status 0")
        assert workers.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert not any(is_there(pid) for pid in workers.pids.values())
    assert list(runtime.iterdir()) == []


# For those who cannot wait.
IMPATIENT = """
from numbatch.serving.workers import supervisor
supervisor.{what}
from numbatch.cli.main import main
main()
"""


def test_a_worker_that_hangs_is_replaced(repository: Path) -> None:
    program = IMPATIENT.format(what="_PING_S = 0.2")
    with serving_workers("--model-repository", repository, program=["-c", program]) as workers:
        os.kill(workers.pids[2], signal.SIGSTOP)
        workers.find("worker=2 .* does not answer and is killed")
        workers.replaced(2)
        with workers.clients() as clients:
            assert clients[2].infer("tiny", [[1, 1]]).tolist() == [[2, 2]]


# The third process, which is the successor of one that ended, is refused by the system.
NO_PROCESS_FOR_THE_THIRD = """
from numbatch.serving.workers.process import WorkerProcess
spawn, numbers = WorkerProcess.spawn, []

async def spawn_if_there_is_room(number, metrics):
    numbers.append(number)
    if len(numbers) == 3:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return await spawn(number, metrics)

WorkerProcess.spawn = spawn_if_there_is_room
from numbatch.cli.main import main
main()
"""


def test_a_service_that_ran_outlives_that_a_worker_cannot_be_started(repository: Path) -> None:
    program = ["-c", NO_PROCESS_FOR_THE_THIRD]
    with serving_workers("--model-repository", repository, program=program) as workers:
        os.kill(workers.pids[1], signal.SIGKILL)
        workers.find("worker=1 cannot be started: .*Resource temporarily unavailable")
        workers.replaced(1)
        with workers.clients() as clients:
            assert clients[1].infer("tiny", [[1, 1]]).tolist() == [[2, 2]]


# Python runs it first, in every process. The first worker stops when it is about to listen, where others wait for it.
STOPS_BEFORE_IT_LISTENS = """
import os, signal, sys
if "numbatch.serving.workers.worker" in sys.orig_argv and os.path.exists({once!r}):
    from numbatch.serving.server import Server
    opens = Server.open

    async def stop_and_open(self):
        try:
            os.unlink({once!r})
        except FileNotFoundError:
            return await opens(self)
        os.kill(os.getpid(), signal.SIGSTOP)

    Server.open = stop_and_open
"""


def test_a_worker_that_hangs_when_it_is_about_to_listen_is_replaced(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "once").touch()
    (tmp_path / "sitecustomize.py").write_text(STOPS_BEFORE_IT_LISTENS.format(once=str(tmp_path / "once")))
    program = ["-c", IMPATIENT.format(what="_PING_S = 0.2")]
    arguments = ("--model-repository", repository)
    with workers_process(*arguments, program=program, PYTHONPATH=str(tmp_path)) as process:
        workers = Workers(process)
        assert sum("does not answer and is killed" in line for line in workers.log) == 1
        with Client(workers.address) as client:
            assert client.infer("tiny", [[1, 1]]).tolist() == [[2, 2]]


def test_a_worker_that_does_not_end_is_killed(repository: Path) -> None:
    program = IMPATIENT.format(what="_BEYOND_GRACE_S = 0.2")
    arguments = ("--model-repository", repository, "--shutdown-grace-s", "0")
    with serving_workers(*arguments, program=["-c", program]) as workers:
        os.kill(workers.pids[2], signal.SIGSTOP)
        assert workers.end(signal.SIGTERM) == 70
    assert any("worker=2" in line and "did not end within_s=0.2 and is killed" in line for line in workers.log)


def test_as_the_first_process_of_a_container_it_leaves_no_zombies(repository: Path) -> None:
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no process namespaces here")
    # The shell starts a process, and becomes the supervisor: whose child that process then is.
    shell = ["sh", "-c", 'true & exec "$0" "$@"']
    with serving_workers("--model-repository", repository, before=[*unshare, *shell]) as workers:
        (supervisor,) = children(workers.popen.pid)
        (first, *_) = children(supervisor)
        os.kill(first, signal.SIGKILL)
        workers.find("ready up=2/2")
        states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in children(supervisor)]
        assert len(states) == 2 and "Z" not in states
        os.kill(supervisor, signal.SIGTERM)
        assert workers.end() == 0


def test_workers_do_not_outlive_their_supervisor(repository: Path, runtime: Path) -> None:
    arguments = ("--model-repository", repository, "--runtime-directory", runtime)
    with serving_workers(*arguments) as workers:
        workers.popen.kill()
        for pid in workers.pids.values():
            wait_for_end(pid)
    (left,) = runtime.iterdir()
    # The next one removes what it had no time to.
    with serving_workers(*arguments) as workers:
        assert not left.exists()
        assert len(list(runtime.iterdir())) == 1

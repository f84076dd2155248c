"""Envoy before several servers, as in the profile `scale` of docker-compose.yml."""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.client import Client
from support.deploy import COMPOSE, document
from support.envoy import CONFIG, ENVOY, MISSING, envoy
from support.http import get
from support.processes import Process, serving_with_http
from support.project import ROOT
from support.raw_calls import raw_calls

pytestmark = pytest.mark.skipif(ENVOY is None, reason=MISSING)

ROWS = np.full((1, 64), 0.5, np.float32)


def answered(http: str) -> int:
    lines = get(http, "/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("numbatch_rows_total{"))


def started(stack: ExitStack, servers: int, **options: Any) -> list[tuple[Process, str]]:
    return [stack.enter_context(serving_with_http(ROOT / "models", **options)) for _ in range(servers)]


def test_envoy_accepts_the_configuration() -> None:
    command = [str(ENVOY), "--mode", "validate", "--config-path", str(CONFIG)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr


def test_one_connection_is_served_by_all_servers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = started(stack, 3)
        address = stack.enter_context(envoy([process.address for process, _ in servers], tmp_path))
        with Client(address) as client, ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: client.infer("digits", ROWS).tobytes(), range(300)))
        assert len(set(answers)) == 1
        shares = [answered(http) for _, http in servers]
        assert sum(shares) == 300
        assert min(shares) >= 50, shares


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_a_server_that_ends_costs_no_request(tmp_path: Path, how: str) -> None:
    with ExitStack() as stack:
        servers = started(stack, 2, drain_delay_s=1.0)
        address = stack.enter_context(envoy([process.address for process, _ in servers], tmp_path))
        over, answers = threading.Event(), threading.Semaphore(0)

        def call(first: bytes) -> None:
            with raw_calls(address) as calls:  # which repeat nothing
                while not over.is_set():
                    assert calls.infer("digits", ROWS)[0][1].tobytes() == first
                    answers.release()

        with raw_calls(address) as calls, ThreadPoolExecutor(4) as threads:
            first = calls.infer("digits", ROWS)[0][1].tobytes()
            callers = [threads.submit(call, first) for _ in range(4)]
            (process, _), _ = servers
            try:
                for _ in range(20):
                    assert answers.acquire(timeout=20)
                getattr(process.popen, how)()
                process.popen.wait(20)
                while answers.acquire(blocking=False):
                    pass
                for _ in range(100):
                    assert answers.acquire(timeout=20)
            finally:
                over.set()
                for caller in callers:
                    caller.result()


def test_streams_pass_and_errors_keep_their_reason(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = started(stack, 1)
        address = stack.enter_context(envoy([process.address for process, _ in servers], tmp_path))
        with Client(address) as client:
            assert len(list(client.stream("digits", (ROWS for _ in range(50))))) == 50
            with pytest.raises(Exception, match="digits") as refused:
                client.infer("digits", ROWS[:, 1:])
            assert str(getattr(refused.value, "reason", "")) == "SHAPE_MISMATCH"


def test_the_composition_gives_it_the_name_and_the_port_that_it_asks_for() -> None:
    (cluster,) = document(CONFIG)["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    asked = endpoint["endpoint"]["address"]["socket_address"]
    assert asked == {"address": "replica", "port_value": 8001}
    assert asked["address"] in document(COMPOSE)["services"]

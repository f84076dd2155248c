"""What an image runs, run as a plain process: ready, healthy, and at an end when told."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.dockerfile import last
from support.project import ROOT

PROGRAM = [sys.executable, "-m", "numbatch.cli"]
HEALTHCHECK = json.loads(last("server", "HEALTHCHECK").partition(" CMD ")[2])


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    arguments = json.loads(last("server", "CMD"))
    for value, here in {"/models": str(ROOT / "models"), "0.0.0.0:8001": "127.0.0.1:0", "0.0.0.0:8002": ""}.items():
        arguments[arguments.index(value)] = here
    environment = {**os.environ, "NUMBATCH_CPU_LEVEL": "host"}  # whose kernels other tests have compiled
    with subprocess.Popen(
        [*PROGRAM, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_ready_healthy_and_ended_by_sigterm(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    said = server.stdout.readline()
    ready = re.fullmatch(r"numbatch ready on (\S+) \(1 model\)\n", said)
    assert ready, server.communicate(timeout=20)
    assert HEALTHCHECK[0] == "numbatch"
    environment = {**os.environ, "NUMBATCH_SERVER": ready[1]}
    checked = subprocess.run([*PROGRAM, *HEALTHCHECK[1:]], env=environment, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, f"server {ready[1]}: ready\n")
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=20) == 0
    again = subprocess.run([*PROGRAM, *HEALTHCHECK[1:]], env=environment, capture_output=True, text=True, check=False)
    assert again.returncode != 0

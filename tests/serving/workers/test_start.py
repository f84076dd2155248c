"""The start of workers that cannot start: it ends with the reason."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from support.command import numbatch
from support.server import write_model
from support.tiny import tiny_model
from support.workers import workers_process

# Python runs it first, in every process.
DIES_AT_START = """
import os, signal, sys
if "numbatch.serving.workers.worker" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_port_in_use_is_the_error_of_a_single_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = numbatch("serve", "--workers", "2", "--listen", address, "--http-listen", "")
    assert outcome.code == 4
    assert outcome.err.endswith(
        f"numbatch: error: cannot listen on {address}: the port is in use; stop what uses it, or "
        "choose another port (0: a free one)\n"
    )


def test_what_stops_a_worker_from_starting_ends_the_supervisor_with_it(tmp_path: Path) -> None:
    listen = ("--listen", "127.0.0.1:0", "--http-listen", "")
    outcome = numbatch("serve", "--workers", "2", *listen, "--model-repository", tmp_path / "nowhere")
    assert outcome.code == 3
    *_, last = outcome.err.splitlines()
    assert last == f"numbatch: error: model repository '{tmp_path / 'nowhere'}': no such folder; create it"


def test_workers_that_die_without_a_word_are_tried_three_times(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(DIES_AT_START)
    with workers_process(PYTHONPATH=str(tmp_path)) as process:
        out, log = process.communicate(timeout=50)
    assert (process.returncode, out) == (70, "")
    assert "ended by SIGSEGV before it was ready, 3 times in a row" in log


def test_a_second_start_on_the_same_port_is_refused_with_workers_and_without(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    with workers_process("--model-repository", tmp_path, "--json") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        for workers in ("1", "2"):
            assert numbatch("serve", "--workers", workers, "--listen", ready["address"], "--http-listen", "").code == 4
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=50)
    assert process.returncode == 0
    assert [(model["name"], model["state"]) for model in ready["models"]] == [("tiny", "ready")]


def test_the_supervisor_needs_neither_grpc_nor_numba() -> None:
    program = "import sys, numbatch.serving.workers.supervisor; print({'grpc', 'numba'} & set(sys.modules))"
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout == "set()\n"

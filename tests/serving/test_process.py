"""The process: signals, exit status, what it says."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from numbatch.v1.model_pb2 import Model
from support.processes import serving
from support.raw_calls import INFER, infer_request, raw_calls
from support.server import write_model
from support.tiny import tiny_model

# Models that say that they run, and then take for ever.
HANG = """
    from threading import Event
    from numbatch.engine import LoadedModel
    LoadedModel.compute = lambda *_, **__: (print("running", flush=True), Event().wait())
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_model(tmp_path, tiny_model())
    write_model(tmp_path, Model(name="bad"))
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(repository: Path, number: signal.Signals) -> None:
    with serving(repository, after="print('returned', file=sys.stderr)") as process:
        with raw_calls(process.address) as calls:
            assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
            process.popen.send_signal(number)
            status, log = process.end()
    assert (status, log.splitlines()[-1]) == (0, "returned")
    assert "Traceback" not in log


def test_it_logs_each_model_that_it_is_ready_and_that_it_drains(repository: Path) -> None:
    with serving(repository) as process:
        process.popen.terminate()
        _, log = process.end()
    lines = [line.split(" ", 2)[-1] for line in log.splitlines() if "kernels" not in line]
    assert [line.split("=")[0] for line in lines] == [
        "ERROR numbatch.repository.states: cannot load model",
        "INFO numbatch.repository.registry: loaded model",
        "INFO numbatch.serving.app: ready address",
        "INFO numbatch.serving.app: draining grace_s",
        "INFO numbatch.serving.app: stopped",
    ]
    assert "model=bad version=1: MODEL_INVALID: " in lines[0]
    assert "model=tiny version=1 layers=2 parameters=4 weights_precision=f32 packed_bytes=" in lines[1]
    assert lines[2].endswith(f"address={process.address} http_address=none models=1 failed=1 compute_threads=1")


def test_a_second_signal_ends_it_at_once(repository: Path) -> None:
    with serving(repository, on_ready=HANG) as process, raw_calls(process.address) as calls:
        running = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 1]), timeout=60)
        process.wait_running()
        assert not running.done()
        watched = calls.watch("")
        assert next(watched) == "SERVING"
        process.popen.terminate()
        assert next(watched) == "NOT_SERVING"
        process.popen.terminate()
        assert process.end()[0] == 128 + signal.SIGTERM


def test_work_that_never_ends_does_not_keep_it_alive(repository: Path) -> None:
    with serving(repository, shutdown_grace_s=0, before="app._LAST_RESORT_S = 0.2", on_ready=HANG) as process:
        with raw_calls(process.address) as calls:
            running = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 1]), timeout=60)
            process.wait_running()
            assert not running.done()
            process.popen.terminate()
            status, log = process.end()
    assert status == 70
    assert "the server did not end in time; its threads were at:" in log


def test_a_port_in_use_is_one_clear_error(repository: Path) -> None:
    script = "app.serve(ServerConfig(model_repository=Path(sys.argv[1]), listen=sys.argv[2], http_listen=''))"
    imports = "import sys; from pathlib import Path; from numbatch.serving import app"
    imports += "; from numbatch.serving.config import ServerConfig; "
    with serving(repository) as process:
        command = [sys.executable, "-c", imports + script, str(repository), process.address]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1] == (
        f"OSError: [Errno 98] cannot listen on {process.address}: the port is in use; "
        "stop what uses it, or choose another port (0: a free one)"
    )

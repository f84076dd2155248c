"""Running out of file descriptors: whoever is connected is served on, and newcomers once there is room."""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.processes import serving
from support.raw_calls import INFER, infer_request, raw_calls
from support.server import write_model
from support.tiny import tiny_model

LOW_LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))"


@pytest.mark.parametrize(
    "options",
    [
        {},  # connections are refused before the files run out
        {"max_connections": 100_000},  # they run out
    ],
    ids=str,
)
def test_a_flood_of_connections_harms_nobody_for_long(tmp_path: Path, options: dict[str, Any]) -> None:
    write_model(tmp_path, tiny_model())
    with serving(tmp_path, before=LOW_LIMIT, **options) as process, raw_calls(process.address) as early:
        assert early.health() == "SERVING"
        host, _, port = process.address.rpartition(":")
        with ExitStack() as flood:
            for _ in range(300):
                flood.enter_context(socket.create_connection((host, int(port)), timeout=20))
            for _ in range(20):
                assert early.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        with raw_calls(process.address) as late:
            late.channel.unary_unary(INFER)(infer_request("tiny", [1, 1]), timeout=20, wait_for_ready=True)
        process.popen.terminate()
        status, log = process.end()
    assert status == 0
    assert "Traceback" not in log

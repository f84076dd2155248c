"""A server process that the machine stops for a while: what nobody waits for any more is not computed."""

import signal
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from support.aftermath import metrics, settled, total, unharmed
from support.processes import serving_with_http
from support.raw_calls import HEALTH, INFER, infer_request, raw_calls
from support.server import write_model
from support.tiny import tiny_model

SHORT, LONG, MAX_BATCH = 30, 40, 16

# Computing waits until there is a file.
GATE = """
from threading import Event
from numbatch.engine import LoadedModel
compute, gate = LoadedModel.compute, Path(sys.argv[1]).parent / "open"
def wait(self, *arguments, **options):
    while self.name == "gated" and is_ready and not gate.exists():
        Event().wait(0.005)
    compute(self, *arguments, **options)
LoadedModel.compute = wait
is_ready = []
"""


def test_expired_requests_are_not_computed_and_the_others_are(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    for model in (tiny_model(), tiny_model("gated")):
        write_model(repository, model)
    options = {"max_batch_size": MAX_BATCH, "log_level": "error"}
    with serving_with_http(repository, before=GATE, on_ready="is_ready.append(1)", **options) as (process, http):
        with unharmed(process.address, http, [process.popen.pid]), raw_calls(process.address) as calls:

            def start(timeout: float) -> Any:
                request = infer_request("gated", np.ones((1, 2)))
                return calls.channel.unary_unary(INFER).future(request, timeout=timeout)

            def in_flight() -> float:
                return total(metrics(http), "numbatch_in_flight_requests")

            running = start(60)
            settled(lambda: in_flight() == 1, "one runs")
            short, long = [start(2) for _ in range(SHORT)], [start(60) for _ in range(LONG)]
            settled(lambda: in_flight() == 1 + SHORT + LONG, "all others wait")
            process.popen.send_signal(signal.SIGSTOP)
            # The server counts from when a call arrives: one that was sent after they had is the last to expire.
            with pytest.raises(grpc.RpcError, match="Deadline"):
                calls.unary(HEALTH + "Check", b"", timeout=2)
            assert {call.exception().code() for call in short} == {grpc.StatusCode.DEADLINE_EXCEEDED}
            (tmp_path / "open").touch()
            process.popen.send_signal(signal.SIGCONT)
            assert [len(call.result()) > 0 for call in (running, *long)] == [True] * (1 + LONG)
            found = metrics(http)
        gated = {key: value for key, value in found.items() if "gated" in key[1]}
        assert total(gated, "numbatch_batch_rows_sum") == 1 + LONG
        assert total(gated, "numbatch_batch_rows_count") >= 1 + LONG / MAX_BATCH
        # None had more rows than may run together.
        assert gated["numbatch_batch_rows_bucket", (f"{MAX_BATCH}.0", "gated")] == total(
            gated, "numbatch_batch_rows_count"
        )

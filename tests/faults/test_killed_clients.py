"""Client processes that are killed: what they had asked for is let go of, computed or not."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.aftermath import metrics, settled, total, unharmed_server
from support.gate import Gate
from support.raw_calls import raw_calls
from support.server import running_server
from support.tiny import tiny_model

CLIENTS, UNARY, STREAMS, IN_STREAM = 4, 8, 4, 3

# Asks for everything at once, and is never answered.
CLIENT = f"""
import sys
import threading
import grpc
from numbatch.wire.codec import INFER_REQUEST, STREAM_INFER_REQUEST
from numbatch.v1.inference_pb2 import InferRequest, StreamInferRequest
import numpy as np

x = [("", np.ones((4, 2), np.float32))]
request = InferRequest(model_name="gated")
unary = INFER_REQUEST.encode(request, x)
streamed = STREAM_INFER_REQUEST.encode(StreamInferRequest(request=request), x)

def requests():
    for _ in range({IN_STREAM}):
        yield streamed
    threading.Event().wait()

channel = grpc.insecure_channel(sys.argv[1])
running = [channel.unary_unary("/numbatch.v1.InferenceService/Infer").future(unary) for _ in range({UNARY})]
stream = channel.stream_stream("/numbatch.v1.InferenceService/StreamInfer")
running += [stream(requests()) for _ in range({STREAMS})]
print("sent", flush=True)
threading.Event().wait()
"""


@contextmanager
def clients(address: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [sys.executable, "-c", CLIENT, address]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(CLIENTS)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"sent\n"
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=20)


def test_their_requests_leave_the_queue_and_nothing_is_computed_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [tiny_model(), tiny_model("gated")]
    with running_server(models, http_listen="127.0.0.1:0", max_batch_size=4) as server:
        gate = Gate(monkeypatch, "gated")
        http = server.server.http_address

        def in_flight() -> float:
            return total(metrics(http), "numbatch_in_flight_requests")

        each = UNARY + STREAMS * IN_STREAM
        with unharmed_server(server):
            with clients(server.address) as processes:
                settled(lambda: in_flight() == CLIENTS * each, "all requests are in flight")
                for killed, process in enumerate(processes, 1):
                    process.kill()
                    # One batch runs, and stands at the gate; whose it is cannot be known.
                    left = (CLIENTS - killed) * each
                    settled(lambda left=left: in_flight() in (left, left + 1), f"{left} left in flight")  # type: ignore[misc]
            settled(lambda: in_flight() == 1, "what runs is in flight")
            settled(lambda: total(metrics(http), "numbatch_calls_in_progress") == 0, "no call is in progress")
            gate.open()
            with raw_calls(server.address) as calls:
                assert calls.infer("gated", [1, 2])[0][1].tolist() == [2, 4]
        assert gate.rows == [4, 1]

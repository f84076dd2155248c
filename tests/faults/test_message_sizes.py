"""Messages at the limit of their size, and what large ones leave in memory."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.models import Dense, Input, Sequential
from support.aftermath import settled, unharmed, unharmed_server
from support.processes import serving_with_http
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls, read_answer, read_streamed, stream_request
from support.server import RunningServer, running_server, write_model
from support.tiny import tiny_model

LIMIT = 64 * 1024
LARGEST = 64 * 2**20

# Its answers are half as large as its requests.
SUM = Sequential([Input((2,)), Dense(1, kernel_initializer="ones", use_bias=False)]).to_message("sum")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model(), SUM], http_listen="127.0.0.1:0", max_message_bytes=LIMIT) as running:
        yield running


@pytest.fixture
def calls(server: RunningServer) -> Iterator[RawCalls]:
    with unharmed_server(server), raw_calls(server.address) as calls:
        yield calls


def rows_for(size: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return almost as many rows as fit into so many bytes."""
    return (np.arange((size - 100) // 8 * 2) % 1000).astype(np.float32).reshape(-1, 2)


def padded(request: bytes, size: int) -> bytes:
    """Return a request with an id that makes it as long as that."""
    return request + b"\x1a" + bytes([size - len(request) - 2]) + b"i" * (size - len(request) - 2)


def test_a_request_of_the_largest_size_is_answered_and_one_byte_more_is_refused(calls: RawCalls) -> None:
    x = rows_for(LIMIT)
    request = infer_request("sum", x)
    ((_, output),) = read_answer(calls.unary(INFER, padded(request, LIMIT)))[1]
    assert output.tolist() == x.sum(axis=1, keepdims=True).tolist()
    with pytest.raises(grpc.RpcError) as refused:
        calls.unary(INFER, padded(request, LIMIT + 1))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_on_a_stream_too_which_one_byte_more_ends(calls: RawCalls) -> None:
    x = rows_for(LIMIT)
    missing = LIMIT - len(stream_request("sum", x))
    largest, larger = (stream_request("sum", x, request_id="i" * (missing - 2 + more)) for more in (0, 1))
    assert (len(largest), len(larger)) == (LIMIT, LIMIT + 1)
    answered = threading.Event()

    def requests() -> Iterator[bytes]:
        yield largest
        answered.wait(20)
        yield larger

    answers = calls.stream(requests())
    assert isinstance(read_streamed(next(answers))[1], np.ndarray)
    answered.set()
    with pytest.raises(grpc.RpcError) as ended:
        next(answers)
    assert ended.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_what_messages_of_64_mib_took_is_given_back(tmp_path: Path) -> None:
    for model in (tiny_model(), SUM):
        write_model(tmp_path, model)
    options: dict[str, Any] = {"max_message_bytes": LARGEST, "max_queued_rows": LARGEST, "max_batch_size": 2**16}
    with serving_with_http(tmp_path, **options) as (process, http):
        x = rows_for(LARGEST)
        largest, larger = (padded(infer_request("sum", x), LARGEST + more) for more in (0, 1))
        with unharmed(process.address, http, [process.popen.pid]), raw_calls(process.address, 2 * LARGEST) as calls:
            before = resident_bytes(process.popen.pid)
            for _ in range(2):
                ((_, output),) = read_answer(calls.unary(INFER, largest, timeout=30))[1]
                assert (output == x.sum(axis=1, keepdims=True)).all()
                with pytest.raises(grpc.RpcError) as refused:
                    calls.unary(INFER, larger, timeout=30)
                assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            settled(lambda: resident_bytes(process.popen.pid) < 1.1 * before, f"it takes far more than {before} bytes")


def resident_bytes(pid: int) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024

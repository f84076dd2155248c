"""Health and metrics over HTTP, of a server that serves."""

import asyncio
import http.client
import socket
from collections.abc import Iterator

import pytest

from numbatch.wire.reasons import Reason
from support.http import get
from support.manual_compute import ManualCompute
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls, refusal, stream_request
from support.reports import samples
from support.server import RunningServer, running_server
from support.tiny import TINY, tiny_model

ANYWHERE = "127.0.0.1:0"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model()], http_listen=ANYWHERE) as running:
        yield running


@pytest.fixture
def calls(server: RunningServer) -> Iterator[RawCalls]:
    with raw_calls(server.address) as calls:
        yield calls


def test_requests_of_both_methods_are_in_the_metrics(server: RunningServer, calls: RawCalls) -> None:
    calls.infer("tiny", [[1, 2], [3, 4]])
    assert refusal(lambda: calls.infer("tiny", [[1, 2, 3]])).reason is Reason.SHAPE_MISMATCH
    assert refusal(lambda: calls.infer("made up", [[1, 2]])).reason is Reason.MODEL_NOT_FOUND
    list(calls.stream([stream_request("tiny", [[1, 2]]), b"\xff"]))
    request, answer = infer_request("tiny", [[1, 2], [3, 4]]), get(server.server.http_address, "/metrics")
    assert answer.status == 200
    found = samples(answer.text)
    assert {labels: value for (name, labels), value in found.items() if name == "numbatch_requests_total"} == {
        ("Infer", "tiny", "OK", "1"): 1,
        ("Infer", "tiny", "SHAPE_MISMATCH", "0"): 1,
        ("Infer", "(unknown)", "MODEL_NOT_FOUND", "(unknown)"): 1,
        ("StreamInfer", "tiny", "OK", "1"): 1,
        ("StreamInfer", "(unknown)", "MALFORMED_MESSAGE", "(unknown)"): 1,
    }
    assert found["numbatch_rows_total", ("tiny", "1")] == 3
    assert found["numbatch_request_bytes_total", ("tiny", "1")] > len(request)
    assert found["numbatch_request_duration_seconds_count", ("tiny", "1")] == 2
    assert found["numbatch_model_loads_total", ("tiny", "OK")] == 1
    assert found["numbatch_model_version_state", ("tiny", "ready", "1")] == 1
    assert found["numbatch_model_weights_bytes", ("tiny", "1")] == TINY.summary.packed_bytes
    assert found["numbatch_ready", ()] == 1


def test_a_ready_server_compiles_nothing(server: RunningServer, calls: RawCalls) -> None:
    get(server.server.http_address, "/metrics")
    calls.load_model(model=tiny_model("another"))
    for rows in (1, 7, 100):
        calls.infer("another", [[1, 2]] * rows, layers=["scaled", "positive"])
    found = samples(get(server.server.http_address, "/metrics").text)
    assert found["numbatch_kernel_compilations_after_ready_total", ()] == 0


def test_an_open_stream_and_its_connection_are_seen(server: RunningServer, calls: RawCalls) -> None:
    names = "numbatch_connections", "numbatch_open_streams"
    assert list(samples(get(server.server.http_address, "/metrics").text, names).values()) == [0, 0]
    watch = calls.watch("")
    assert next(watch) == "SERVING"
    found = samples(get(server.server.http_address, "/metrics").text)
    assert [found[name, ()] for name in names] == [1, 1]


def test_it_is_live_from_the_start_and_ready_when_its_models_are_loaded() -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, loaded=False) as loading:
        address = loading.server.http_address
        assert get(address, "/livez") == (200, "text/plain; charset=utf-8", "ok\n")
        assert get(address, "/readyz") == (503, "text/plain; charset=utf-8", "loading\n")
        loading.run(loading.server.load_models())
        assert get(address, "/readyz") == (200, "text/plain; charset=utf-8", "ok\n")


def test_it_is_not_live_without_the_threads_that_compute() -> None:
    class Dead(ManualCompute):
        is_alive = False

    with running_server([tiny_model()], compute=Dead(), http_listen=ANYWHERE) as running:
        assert get(running.server.http_address, "/livez")[::2] == (503, "a compute thread has ended\n")


def test_it_stops_at_once_though_a_scraper_keeps_its_connection() -> None:
    with running_server(http_listen=ANYWHERE) as running:
        host, _, port = running.server.http_address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok\n"
        running.run(running.server.stop())
        connection.sock.settimeout(20)
        assert connection.sock.recv(1) == b""  # closed by the server
        connection.close()


def test_while_it_drains_it_is_live_and_not_ready() -> None:
    executor = ManualCompute()
    with (
        running_server([tiny_model()], compute=executor, http_listen=ANYWHERE) as running,
        raw_calls(running.address) as calls,
    ):
        held = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 2]), timeout=20)
        job = executor.next_job()
        stopping = running.start(running.server.stop(20))
        running.run(asyncio.sleep(0))  # the loop has begun to stop the server
        assert get(running.server.http_address, "/readyz")[::2] == (503, "draining\n")
        assert get(running.server.http_address, "/livez").status == 200
        found = samples(get(running.server.http_address, "/metrics").text)
        assert (found["numbatch_ready", ()], found["numbatch_calls_in_progress", ()]) == (0, 1)
        running.loop.call_soon_threadsafe(job.run)
        assert held.result()
        stopping.result(20)


def test_openmetrics_is_spoken_to_who_asks_for_it(server: RunningServer) -> None:
    answer = get(server.server.http_address, "/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    plain = get(server.server.http_address, "/metrics")
    assert plain.content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_there_is_nothing_else(server: RunningServer) -> None:
    assert get(server.server.http_address, "/").status == 404
    assert get(server.server.http_address, "/metrics/more").status == 404


def test_without_an_address_it_answers_no_http() -> None:
    with running_server(http_listen="") as running:
        assert running.server.http_address == ""


def test_a_port_in_use_says_which_of_the_two_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match="the port is in use") as refused, running_server(http_listen=address):
            pass
    assert str(refused.value).endswith('choose another port (0: a free one) (http_listen; "" for no HTTP)')


def test_a_model_that_could_not_be_loaded_is_counted(server: RunningServer, calls: RawCalls) -> None:
    refusal(lambda: calls.load_model(model_name="tiny", model=tiny_model("other")))  # refused before it is loaded
    broken = tiny_model()
    broken.layers[0].dense.units = 3
    refusal(lambda: calls.load_model(model=broken))
    found = samples(get(server.server.http_address, "/metrics").text, ["numbatch_model_loads_total"])
    assert sum(found.values()) == 2
    assert [labels for _, labels in found if labels[1] != "OK"] == [("tiny", "WEIGHTS_MISMATCH")]

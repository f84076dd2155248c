"""Spans of requests, made when they are over."""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from numbatch.serving.config import ServerConfig
from numbatch.serving.observer import RequestReport
from numbatch.serving.tracing import Tracer
from numbatch.wire.errors import InvalidArgumentError
from support.raw_calls import INFER, STREAM_INFER, infer_request, raw_calls, stream_request
from support.reports import REQUEST
from support.rest import Rest, tensor
from support.server import running_server
from support.tiny import tiny_model

EXTRA = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"

# The requests of these tests began at 100 s, and it is 107 s now: at this time since 1970.
NOW_NS = 1_767_323_045_000_000_000
START_NS = NOW_NS - 7_000_000_000


def never() -> float:
    raise AssertionError("a number was drawn")


def spans_of(
    *requests: RequestReport, sample_ratio: float = 1.0, draw: Callable[[], float] = lambda: 0.5
) -> Sequence[ReadableSpan]:
    exporter = InMemorySpanExporter()
    tracer = Tracer(exporter, sample_ratio, clock=lambda: 107.0, wall_clock_ns=lambda: NOW_NS, draw=draw)
    for request in requests:
        tracer.on_request(request)
    tracer.shutdown()
    return sorted(exporter.get_finished_spans(), key=lambda span: span.kind is not SpanKind.SERVER)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_request_is_a_span_with_its_waiting_and_its_computing_inside() -> None:
    spans = {span.name: span for span in spans_of(REQUEST)}
    assert set(spans) == {"numbatch.v1.InferenceService/Infer", "queue", "compute"}
    request, queue, compute = spans["numbatch.v1.InferenceService/Infer"], spans["queue"], spans["compute"]
    assert (request.start_time, request.end_time) == (START_NS, START_NS + 2_500_000)
    assert (queue.start_time, queue.end_time) == (START_NS, START_NS + 1_000_000)
    assert (compute.start_time, compute.end_time) == (START_NS + 1_000_000, START_NS + 1_500_000)
    assert request.context is not None
    assert request.parent is None
    assert request.kind is SpanKind.SERVER
    for child in (queue, compute):
        assert child.parent is not None
        assert child.parent.span_id == request.context.span_id
    assert attributes(request) == {
        "rpc.system": "grpc",
        "rpc.service": "numbatch.v1.InferenceService",
        "rpc.method": "Infer",
        "rpc.grpc.status_code": 0,
        "numbatch.model": "digits",
        "numbatch.version": 1,
        "numbatch.rows": 4,
        "numbatch.request_bytes": 1000,
        "numbatch.response_bytes": 200,
        "numbatch.request_id": "r-1",
    }
    assert request.resource.attributes["service.name"] == "numbatch"


def test_a_request_of_another_service_is_a_span_of_that() -> None:
    told = REQUEST._replace(method="ModelInfer", service="inference.GRPCInferenceService")
    (span,) = [span for span in spans_of(told) if span.kind is SpanKind.SERVER]
    assert span.name == "inference.GRPCInferenceService/ModelInfer"
    assert attributes(span)["rpc.service"] == "inference.GRPCInferenceService"


def test_a_request_that_brings_a_sampled_trace_continues_it() -> None:
    span = spans_of(REQUEST._replace(trace_parent=SAMPLED, queue_s=0, compute_s=0), sample_ratio=0, draw=never)[0]
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)


def test_a_request_whose_caller_does_not_sample_is_not_traced() -> None:
    assert spans_of(REQUEST._replace(trace_parent=UNSAMPLED), draw=never) == []


@pytest.mark.parametrize(("ratio", "drawn", "traced"), [(0.0, 0.0, False), (0.25, 0.2, True), (0.25, 0.25, False)])
def test_of_the_others_a_part_is_traced(ratio: float, drawn: float, traced: bool) -> None:
    assert bool(spans_of(REQUEST, sample_ratio=ratio, draw=lambda: drawn)) is traced


@pytest.mark.parametrize(
    "trace_parent", ["nonsense", "00-0-0-01", "00-" + "z" * 49 + "-01", f"00-{'0' * 32}-{PARENT}-01"]
)
def test_a_trace_that_is_none_is_no_parent(trace_parent: str) -> None:
    request = REQUEST._replace(trace_parent=trace_parent)
    assert spans_of(request, sample_ratio=0.0) == []
    assert spans_of(request)[0].parent is None


@pytest.mark.parametrize(
    ("reason", "code", "status"),
    [
        ("SHAPE_MISMATCH", 3, StatusCode.UNSET),  # the caller's fault
        ("SERVER_OVERLOADED", 8, StatusCode.UNSET),
        ("DEADLINE_EXCEEDED", 4, StatusCode.ERROR),
        ("SERVER_DRAINING", 14, StatusCode.ERROR),
        ("INTERNAL", 13, StatusCode.ERROR),
    ],
)
def test_a_failure_has_its_code_and_reason(reason: str, code: int, status: StatusCode) -> None:
    (span,) = spans_of(REQUEST._replace(reason=reason, limit="some", request_id="", queue_s=0.0, compute_s=0.0))
    found = attributes(span)
    assert (found["rpc.grpc.status_code"], found["error.type"], found["numbatch.limit"]) == (code, reason, "some")
    assert "numbatch.request_id" not in found
    assert span.status.status_code is status


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What a server's spans are sent to, in the place of the exporter of the extra."""
    exporter = InMemorySpanExporter()
    extra = ModuleType(EXTRA)
    extra.__spec__ = ModuleSpec(EXTRA, None)
    extra.__dict__["OTLPSpanExporter"] = lambda **_: exporter
    monkeypatch.setitem(sys.modules, EXTRA, extra)
    return exporter


def test_a_call_that_brings_a_trace_is_traced_by_the_server(collector: InMemorySpanExporter) -> None:
    with (
        running_server([tiny_model()], trace_endpoint="collector:4317", trace_sample_ratio=0.0) as server,
        raw_calls(server.address) as calls,
    ):
        brought = [("traceparent", SAMPLED)]
        calls.channel.unary_unary(INFER)(infer_request("tiny", [1, 1], request_id="u"), metadata=brought, timeout=20)
        streamed = iter([stream_request("tiny", [1, 1], request_id="s")])
        list(calls.channel.stream_stream(STREAM_INFER)(streamed, metadata=brought, timeout=20))
        calls.infer("tiny", [1, 1], request_id="untraced")  # by a task of its own: it has nothing of the others
    # It has stopped, and sent what it had.
    spans = collector.get_finished_spans()
    requests = {attributes(span)["numbatch.request_id"]: span for span in spans if span.kind is SpanKind.SERVER}
    assert set(requests) == {"u", "s"}
    for span in requests.values():
        assert span.parent is not None
        assert span.parent.span_id == int(PARENT, 16)
    assert {span.name for span in spans if span.kind is not SpanKind.SERVER} == {"queue", "compute"}


def test_a_request_over_http_that_brings_a_trace_is_traced_as_what_it_is(collector: InMemorySpanExporter) -> None:
    with running_server(
        [tiny_model()], http_listen="127.0.0.1:0", trace_endpoint="collector:4317", trace_sample_ratio=0.0
    ) as server:
        rest, said = Rest(server.server.http_address), {"inputs": [tensor("input", [[1, 1]])]}
        rest.infer("tiny", said, {"traceparent": SAMPLED})
        rest.infer("tiny", said)
    (span,) = [span for span in collector.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert span.name == "POST /v2/models/{model}/infer"
    assert span.parent is not None
    assert span.parent.span_id == int(PARENT, 16)
    assert attributes(span)["http.request.method"] == "POST"
    assert not [name for name in attributes(span) if name.startswith("rpc.")]


def test_without_the_extra_the_endpoint_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, EXTRA, None)
    with pytest.raises(InvalidArgumentError) as refused:
        ServerConfig(trace_endpoint="collector:4317")
    assert refused.value.message == (
        "trace_endpoint: traces need OpenTelemetry, which is not installed: got 'collector:4317'; "
        "pip install 'numbatch[otel]'"
    )

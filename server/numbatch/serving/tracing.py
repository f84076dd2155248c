"""Traces of requests for OpenTelemetry, made once a request is over, from what was noted of it.

Nothing of OpenTelemetry is imported before `make_tracer`: it is an extra.
"""

import re
import threading
import time
from collections.abc import Callable
from random import random
from typing import TYPE_CHECKING, Any, Protocol

from numbatch.serving.observer import HTTP, Observer, RequestReport
from numbatch.wire.errors import error_class
from numbatch.wire.reasons import Code, Reason

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# The codes that are a server's fault: https://opentelemetry.io/docs/specs/semconv/rpc/grpc
_SERVER_ERRORS = {Code.UNKNOWN, Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE}

# The only one of inference over HTTP.
_ROUTE = "/v2/models/{model}/infer"

# https://www.w3.org/TR/trace-context; identifiers of zeros alone are none.
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})")
_SAMPLED_FLAG = 1

# How long the last spans may take to leave.
_LAST_SPANS_S = 2.0


class SpanExporter(Protocol):
    """The part of opentelemetry.sdk.trace.export.SpanExporter that is used here."""

    def export(self, spans: Any) -> Any:
        """Send spans."""

    def shutdown(self) -> None:
        """End."""


def make_tracer(endpoint: str, sample_ratio: float) -> "Tracer":
    """Return a tracer that sends to a collector: OTLP over gRPC, in clear text but for https://."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # type: ignore[import-not-found, unused-ignore]
        OTLPSpanExporter,
    )

    is_clear_text = not endpoint.startswith("https://")
    return Tracer(OTLPSpanExporter(endpoint=endpoint, insecure=is_clear_text), sample_ratio)


class Tracer(Observer):
    """Makes a span for a request, with children for its waiting and its computing.

    A request that brings a trace is traced if its caller says that it samples it, and not otherwise; of those that
    bring none, a part is. Spans are sent by a thread, many at a time; where the collector does not keep up they are
    dropped.

    Parameters
    ----------
    exporter : SpanExporter
        Where they go.
    sample_ratio : float
        Which part of the requests that bring no trace is traced, 0 to 1.
    clock, wall_clock_ns : callable
        Return the seconds that requests are timed with, and the nanoseconds since 1970.
    draw : callable
        Returns a random number from 0 to 1.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        sample_ratio: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock_ns: Callable[[], int] = time.time_ns,
        draw: Callable[[], float] = random,
    ) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = _provider(exporter)
        self._tracer = self._provider.get_tracer("numbatch")
        self._propagator = TraceContextTextMapPropagator()
        self._trace = trace
        self._sample_ratio = sample_ratio
        self._clock = clock
        self._wall_clock_ns = wall_clock_ns
        self._draw = draw

    def on_request(self, report: RequestReport) -> None:
        """Make the spans of a request, if it is sampled."""
        if self._is_sampled(report.trace_parent):
            self._record(report)

    def shutdown(self) -> None:
        """Send what is left, and end; a collector that does not answer is waited for two seconds."""
        # A thread that may be left behind: the SDK has been seen to take six, and holds up the end of the process.
        sender = threading.Thread(target=self._provider.shutdown, name="numbatch-traces", daemon=True)
        sender.start()
        sender.join(_LAST_SPANS_S)

    def _is_sampled(self, trace_parent: str) -> bool:
        brought = _TRACE_PARENT.match(trace_parent)
        if brought is None:
            return self._draw() < self._sample_ratio
        return bool(int(brought["flags"], 16) & _SAMPLED_FLAG)

    def _record(self, report: RequestReport) -> None:
        trace = self._trace
        start_ns = self._wall_clock_ns() - _ns(self._clock() - report.started)
        carrier = {"traceparent": report.trace_parent} if report.trace_parent else {}
        span = self._tracer.start_span(
            _name(report),
            context=self._propagator.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(report),
            start_time=start_ns,
        )
        if report.reason and error_class(Reason(report.reason)).code in _SERVER_ERRORS:
            span.set_status(trace.StatusCode.ERROR, report.reason)
        parent = trace.set_span_in_context(span)
        computed_ns = start_ns + _ns(report.queue_s)
        for name, begin_ns, seconds in (
            ("queue", start_ns, report.queue_s),
            ("compute", computed_ns, report.compute_s),
        ):
            if seconds:
                child = self._tracer.start_span(name, context=parent, start_time=begin_ns)
                child.end(begin_ns + _ns(seconds))
        span.end(start_ns + _ns(report.seconds))


def _provider(exporter: SpanExporter) -> "TracerProvider":
    import os
    from importlib.metadata import version

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    name = os.environ.get("OTEL_SERVICE_NAME", "numbatch")
    resource = Resource.create({"service.name": name, "service.version": version("numbatch")})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))  # type: ignore[arg-type]
    return provider


def _name(report: RequestReport) -> str:
    return f"POST {_ROUTE}" if report.service == HTTP else f"{report.service}/{report.method}"


def _call(report: RequestReport) -> dict[str, str | int]:
    if report.service == HTTP:
        return {"http.request.method": "POST", "http.route": _ROUTE}
    code = error_class(Reason(report.reason)).code if report.reason else 0
    return {
        "rpc.system": "grpc",
        "rpc.service": report.service,
        "rpc.method": report.method,
        "rpc.grpc.status_code": int(code),
    }


def _attributes(report: RequestReport) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        **_call(report),
        "numbatch.model": report.model,
        "numbatch.version": report.version,
        "numbatch.rows": report.rows,
        "numbatch.request_bytes": report.request_bytes,
        "numbatch.response_bytes": report.response_bytes,
    }
    if report.request_id:
        attributes["numbatch.request_id"] = report.request_id
    if report.reason:
        attributes["error.type"] = report.reason
    if report.limit:
        attributes["numbatch.limit"] = report.limit
    return attributes


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)

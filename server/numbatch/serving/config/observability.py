"""Options: what the server tells of itself."""

import importlib.util
from dataclasses import dataclass

from numbatch.serving.config.options import Options, option
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


def _check_exporter(endpoint: str, field: str) -> None:
    """Refuse an endpoint where the extra is not installed; it is looked for, not imported."""
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    except ModuleNotFoundError:
        found = None
    if found is None:
        problem, hint = "traces need OpenTelemetry, which is not installed", "pip install 'numbatch[otel]'"
        raise error(Reason.INVALID_FIELD, problem, field=field, got=repr(endpoint), hint=hint)


@dataclass(frozen=True, kw_only=True)
class ObservabilityOptions(Options):
    """What the server tells of itself."""

    log_level: str = option(
        "info",
        "How much to log. Of requests: those that failed, a few of each reason every second; at debug every one.",
        choices=LOG_LEVELS,
    )
    log_format: str = option(
        "text", "Lines for people, or a JSON object on each line for programs.", choices=LOG_FORMATS
    )
    trace_endpoint: str = option(
        "",
        "The OpenTelemetry collector that traces of requests are sent to, over OTLP/gRPC. Without it there are none. "
        "Needs the extra numbatch[otel].",
        metavar="HOST:PORT",
        check=_check_exporter,
    )
    trace_sample_ratio: float = option(
        0.01,
        "Which part of the requests is traced whose callers say nothing about it. Those who send a traceparent decide.",
        least=0,
        most=1,
    )

"""Every metric of a server: its name, its labels, what it says. docs/metrics.md is the same list for people.

Names and units follow Prometheus: seconds and bytes, `_total` for what only grows. Where several worker processes
answer for one server, they share these figures through files (prometheus_client's multiprocess mode); the mode of a
gauge says what becomes of the values of the workers.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

from numbatch.serving.observability.tally import BulkHistogram

# From what one row of a small network takes to what no caller waits for. Between 0.1 and 100 ms neighbours differ by a
# third to two thirds, so that a percentile between them is close.
DURATION_BUCKETS_S = (
    *(50e-6, 100e-6, 150e-6, 200e-6, 300e-6, 500e-6, 750e-6),
    *(1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7.5e-3, 10e-3, 15e-3, 20e-3, 30e-3, 50e-3, 75e-3),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
LOAD_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
ROWS_BUCKETS = tuple(float(2**power) for power in range(15))
REQUESTS_BUCKETS = tuple(float(2**power) for power in range(11))

_VERSION = ("model", "version")


class Metrics:
    """The metrics, registered in a registry of their own.

    Parameters
    ----------
    registry : CollectorRegistry
        Where they are put; one server, one registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, says: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"numbatch_{name}", says, labels, registry=registry)

        def histogram(
            name: str, says: str, buckets: tuple[float, ...], labels: tuple[str, ...] = _VERSION
        ) -> BulkHistogram:
            return BulkHistogram(f"numbatch_{name}", says, labels, buckets=buckets, registry=registry)

        def total(name: str, says: str, labels: tuple[str, ...] = ()) -> Gauge:
            """Make a gauge whose values add up over the workers."""
            return Gauge(f"numbatch_{name}", says, labels, registry=registry, multiprocess_mode="livesum")

        def shared(name: str, says: str, labels: tuple[str, ...] = ()) -> Gauge:
            """Make a gauge that is the same for every worker, or of which the largest value counts."""
            return Gauge(f"numbatch_{name}", says, labels, registry=registry, multiprocess_mode="livemax")

        # Requests.
        self.requests = counter(
            "requests_total", "Requests that were answered or refused.", ("method", "model", "version", "reason")
        )
        self.refusals = counter("refusals_total", "Requests refused because a limit was reached.", ("model", "limit"))
        self.rows = counter("rows_total", "Rows of requests that succeeded.", _VERSION)
        self.request_bytes = counter("request_bytes_total", "Bytes of request messages.", _VERSION)
        self.response_bytes = counter("response_bytes_total", "Bytes of response messages.", _VERSION)
        self.request_duration = histogram(
            "request_duration_seconds",
            "From the bytes of a request to those of its answer; without requests that were refused.",
            DURATION_BUCKETS_S,
        )
        self.in_flight = total("in_flight_requests", "Requests that wait or run.", ("model",))
        self.bytes_in_flight = total("in_flight_bytes", "Bytes, inputs and outputs, of the requests that wait or run.")
        self.calls = total("calls_in_progress", "gRPC calls in progress; an open stream is one.")
        self.streams = total("open_streams", "gRPC streams that are open.")

        # Queues and batches.
        self.queued_requests = total("queued_requests", "Requests that wait to be computed.", ("model",))
        self.queued_rows = total("queued_rows", "Rows of the requests that wait.", ("model",))
        self.queued_bytes = total("queued_bytes", "Bytes, inputs and outputs, of the requests that wait.", ("model",))
        self.queue_duration = histogram(
            "queue_duration_seconds", "How long a request that ran had waited.", DURATION_BUCKETS_S
        )
        self.batch_duration = histogram(
            "batch_duration_seconds",
            "How long a batch ran, with the gathering of its rows.",
            DURATION_BUCKETS_S,
            ("model",),
        )
        self.batch_rows = histogram("batch_rows", "Rows in a batch.", ROWS_BUCKETS, ("model",))
        self.batch_requests = histogram("batch_requests", "Requests in a batch.", REQUESTS_BUCKETS, ("model",))
        self.batch_failures = counter("batch_failures_total", "Batches that failed.", ("model",))

        # Models.
        self.version_state = shared(
            "model_version_state", "1 for the state that a version is in, 0 for the others.", (*_VERSION, "state")
        )
        self.default_version = shared(
            "model_default_version", "The version that answers where none is asked for; 0: none.", ("model",)
        )
        self.weights_bytes = shared("model_weights_bytes", "Bytes of packed weights in memory.", _VERSION)
        self.loads = counter("model_loads_total", "Versions loaded, or not, and why not.", ("model", "reason"))
        self.load_duration = histogram(
            "model_load_duration_seconds", "How long the loading of a version took.", LOAD_BUCKETS_S, ()
        )

        # The process.
        self.ready = Gauge(
            "numbatch_ready",
            "1 if the server is ready for requests, 0 while it loads its models or drains.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.compilations = counter("kernel_compilations_total", "Functions that were compiled in this process.")
        self.late_compilations = counter(
            "kernel_compilations_after_ready_total", "Of these, those after the server was ready: always 0."
        )
        self.loop_lag = histogram(
            "event_loop_lag_seconds", "How late the event loop came to a timer.", DURATION_BUCKETS_S, ()
        )
        self.tasks = total("event_loop_tasks", "Tasks of the event loop.")
        self.heap_bytes = total("heap_bytes", "Bytes in use of the C heap, without what it keeps free.")
        self.python_blocks = total("python_blocks", "Blocks of memory in use by small Python objects.")
        self.build_info = shared(
            "build_info", "1, with what the server is made of.", ("version", "python", "grpcio", "numba", "target")
        )

"""What a server tells of its work, to whoever observes it: metrics, logs, traces."""

from typing import NamedTuple

from numbatch.batching.report import BatchReport
from numbatch.repository.report import LoadReport
from numbatch.v1 import inference_pb2

__all__ = ["HTTP", "INFERENCE_SERVICE", "BatchReport", "LoadReport", "Observer", "RequestReport"]

# Of requests over HTTP, which have a path in its place.
HTTP = "HTTP"
INFERENCE_SERVICE = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name


class RequestReport(NamedTuple):
    """A request for inference that was answered, or refused.

    Attributes
    ----------
    method : str
        "Infer", "StreamInfer", or what another service calls its own; each minibatch of a stream is a request.
    model : str
        As the caller named it: of any text where the reason is MODEL_NOT_FOUND.
    version : int
        The one that ran; where none did, the one asked for.
    request_id : str
        The caller's.
    rows : int
        Examples in the minibatch; 0 where it was not read.
    reason : str
        Why it failed, a `Reason`; "" if it succeeded.
    limit : str
        For SERVER_OVERLOADED: which limit; else "".
    started : float
        When its bytes were there, on the monotonic clock.
    seconds : float
        Until its answer was encoded.
    queue_s, compute_s : float
        How long it waited, and how long the batches ran that it was part of; 0 where it never ran.
    request_bytes, response_bytes : int
        The lengths of the messages.
    trace_parent : str
        The W3C `traceparent` that came with the call, or "".
    service : str
        The service whose method it is; `HTTP` of a request over HTTP.
    """

    method: str
    model: str
    version: int
    request_id: str
    rows: int
    reason: str
    limit: str
    started: float
    seconds: float
    queue_s: float
    compute_s: float
    request_bytes: int
    response_bytes: int
    trace_parent: str = ""
    service: str = INFERENCE_SERVICE


class Observer:
    """Takes note of what a server does. This one does nothing; others override what they need.

    All methods are called on the thread of the event loop, and are to be quick.
    """

    def on_request(self, report: RequestReport) -> None:
        """Take note of a request that was answered or refused."""

    def on_batch(self, report: BatchReport) -> None:
        """Take note of a batch that ran."""

    def on_load(self, report: LoadReport) -> None:
        """Take note of a version that was loaded, or could not be."""

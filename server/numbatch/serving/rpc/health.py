"""grpc.health.v1.Health: of the server ("", "liveness", "startup"), of models ("digits") and of versions ("digits/2").

The answers are read from the registry and the lifecycle when they are asked for, so they cannot differ from what those
know. The server is SERVING from the moment that all its models were loaded, or have failed, until it is to end. Two
names are for probes that restart a process: "startup" stays SERVING from that moment on, and "liveness" is SERVING as
long as the threads are there that run batches. A model of such a name is asked for by a version.
"""

import asyncio
from collections.abc import Callable

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from numbatch.repository.registry import Registry
from numbatch.serving.failures import draining
from numbatch.serving.lifecycle import Lifecycle, Phase
from numbatch.serving.rpc.calls import Calls
from numbatch.serving.rpc.context import CallContext
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_Response = health_pb2.HealthCheckResponse
SERVING: int = _Response.SERVING
NOT_SERVING: int = _Response.NOT_SERVING
UNKNOWN: int = _Response.SERVICE_UNKNOWN

LIVENESS, STARTUP = "liveness", "startup"


class HealthService:
    """Answers Check, List and Watch.

    Parameters
    ----------
    registry : Registry
        Says which models are ready.
    lifecycle : Lifecycle
        Says whether the server is, and wakes the watchers.
    can_compute : callable
        Says whether the threads that run batches are there.
    """

    def __init__(self, registry: Registry, lifecycle: Lifecycle, can_compute: Callable[[], bool]) -> None:
        self._registry = registry
        self._lifecycle = lifecycle
        self._can_compute = can_compute

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        methods = {
            "Check": calls.unary(self.check, None, always=True),
            "List": calls.unary(self.list, None, always=True),
            "Watch": calls.unary_stream(self.watch, None, always=True),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def check(self, data: bytes, _: float | None) -> bytes:
        """Say how it stands with one name; an unknown one is an error."""
        service = _service(data)
        status = self._status(service)
        if status == UNKNOWN:
            expected = '"", a model, or a model and a version as in "digits/2"'
            raise error(Reason.MODEL_NOT_FOUND, field="service", got=repr(service[:160]), expected=expected)
        return _encoded(status)

    async def list(self, _data: bytes, _: float | None) -> bytes:
        """Say how it stands with every name."""
        names = ["", LIVENESS, STARTUP]
        for name, versions in self._registry.snapshot.versions.items():
            names += [name, *(f"{name}/{version}" for version in versions if version)]
        statuses = {name: _Response(status=self._status(name)) for name in names}
        encoded: bytes = health_pb2.HealthListResponse(statuses=statuses).SerializeToString()
        return encoded

    async def watch(self, data: bytes, context: CallContext) -> None:
        """Say how it stands with one name, known or not, now and after every change, until the server ends."""
        service = _service(data)
        changed = asyncio.Event()
        last = None
        with self._lifecycle.watched_by(changed.set):
            while True:
                changed.clear()
                ends = self._lifecycle.draining  # before the status, so that the last one told is that of the end
                status = self._status(service)
                if status != last:
                    await context.write(_encoded(status))
                    last = status
                if ends:
                    raise draining()
                await changed.wait()

    def _status(self, service: str) -> int:
        if service == "":
            return SERVING if self._lifecycle.ready else NOT_SERVING
        if service == LIVENESS:
            return SERVING if self._can_compute() else NOT_SERVING
        if service == STARTUP:
            return NOT_SERVING if self._lifecycle.phase is Phase.LOADING else SERVING
        snapshot = self._registry.snapshot
        name, _, number = service.partition("/")
        versions = snapshot.versions.get(name)
        if versions is None:
            return UNKNOWN
        if service == name:
            return self._of_model(name in snapshot.defaults)
        version = versions.get(int(number)) if number.isascii() and number.isdecimal() and len(number) < 20 else None
        return UNKNOWN if version is None else self._of_model(version.model is not None)

    def _of_model(self, is_ready: bool) -> int:
        return SERVING if is_ready and not self._lifecycle.ending else NOT_SERVING


def _encoded(status: int) -> bytes:
    encoded: bytes = _Response(status=status).SerializeToString()
    return encoded


def _service(data: bytes) -> str:
    try:
        return str(health_pb2.HealthCheckRequest.FromString(data).service)
    except DecodeError as malformed:
        problem = f"{len(data)} bytes that are no grpc.health.v1.HealthCheckRequest"
        raise error(Reason.MALFORMED_MESSAGE, problem) from malformed

"""grpc.reflection.v1alpha.ServerReflection: lets grpcurl and the like call the services without the .proto files."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection, reflection_pb2

from numbatch.oip.pool import POOL
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.rpc.calls import Calls
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.stream import serve_in_order
from numbatch.serving.rpc.window import StreamLimits
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

_Request = reflection_pb2.ServerReflectionRequest


@dataclass(frozen=True, slots=True)
class _Asked:
    data: bytes

    def cancel(self) -> None:
        """Nothing to cancel: answering takes no time."""


class _Pools:
    """The pools that the services' messages are in, as if they were one."""

    def __init__(self, *pools: Any) -> None:
        self._pools = pools

    def __getattr__(self, search: str) -> Any:
        def search_all(*of_what: Any) -> Any:
            *others, last = self._pools
            for pool in others:
                try:
                    return getattr(pool, search)(*of_what)
                except KeyError:
                    continue
            return getattr(last, search)(*of_what)

        return search_all


class ReflectionService:
    """Answers ServerReflectionInfo.

    Parameters
    ----------
    services : iterable of str
        The full names of the services to describe; this one is added.
    lifecycle : Lifecycle
        Says when streams are to end.
    limits : StreamLimits
        What one stream may take up.
    """

    def __init__(self, services: Iterable[str], lifecycle: Lifecycle, limits: StreamLimits) -> None:
        # Ours first: the other one may have a client's file for the same service.
        pools = _Pools(POOL, descriptor_pool.Default())
        self._servicer = reflection.aio.ReflectionServicer([*services, reflection.SERVICE_NAME], pools)
        self._lifecycle = lifecycle
        self._limits = limits

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        methods = {"ServerReflectionInfo": calls.stream_stream(self.server_reflection_info, None)}
        return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, methods)

    async def server_reflection_info(self, _: object, context: CallContext) -> None:
        """Answer the requests of one stream."""
        await serve_in_order(context, self._lifecycle, start=_Asked, finish=self._answer, limits=self._limits)

    async def _answer(self, asked: _Asked) -> bytes:
        try:
            request = _Request.FromString(asked.data)
        except DecodeError as malformed:
            name = _Request.DESCRIPTOR.full_name
            raise error(Reason.MALFORMED_MESSAGE, f"{len(asked.data)} bytes that are no {name}") from malformed
        # The servicer answers an iterator of requests; it is given one request at a time, to be asked for no more of
        # them once the server drains.
        (answer,) = [answer async for answer in self._servicer.ServerReflectionInfo(_only(request), None)]
        encoded: bytes = answer.SerializeToString()
        return encoded


async def _only(request: object) -> AsyncIterator[object]:
    yield request

"""The gRPC server itself: its options, its port, its end."""

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress

import grpc

from numbatch.serving.address import check_free, parse_address
from numbatch.serving.rpc.calls import Calls

# After the grace period, handlers that were cancelled have so long to clean up.
_CLEANUP_S = 2.0


class Transport:
    """Serves handlers on a port. It belongs to the event loop that it is made on.

    Parameters
    ----------
    handlers : iterable of grpc.GenericRpcHandler
        The services.
    calls : Calls
        What made the handlers; knows when they have finished.
    max_message_bytes : int
        The largest message, either way.
    """

    def __init__(self, handlers: Iterable[grpc.GenericRpcHandler], calls: Calls, *, max_message_bytes: int) -> None:
        self._calls = calls
        self._server = grpc.aio.server(options=_options(max_message_bytes))
        self._server.add_generic_rpc_handlers(tuple(handlers))

    async def start(self, listen: str) -> str:
        """Listen on "host:port" and return the same with the port that it is.

        Raises
        ------
        OSError
            If the address cannot be had; the message says why and what to do.
        """
        check_free(listen)
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as failed:
            raise OSError(f"cannot listen on {listen}: {failed}") from failed
        await self._server.start()
        host, _ = parse_address(listen)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, wait for those in progress, cancel what remains after the grace period."""
        stopping = asyncio.create_task(self._server.stop(grace_s))
        await _within(grace_s, self._calls.wait_idle())
        # What is left are streams that have no end of their own, such as reflection.
        await self._server.stop(None)
        await stopping
        # stop() does not wait for the clean-up of the handlers that it cancelled (grpc#37239).
        await _within(_CLEANUP_S, self._calls.wait_idle())


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        # By default two servers share a port without a word.
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", 1024),
        # Clients may keep their connections alive with a ping every 10 s, also when idle.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_channelz", 0),
    ]


async def _within(seconds: float, waiting: Coroutine[None, None, None]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(waiting, seconds)

"""The gRPC server itself: its options, its port, its end."""

import asyncio
from collections.abc import Coroutine, Iterable

import grpc

from numbatch.serving.address import check_free, parse_address
from numbatch.serving.rpc.calls import Calls

# How long the last refusals and answers about health may take to leave.
_FLUSH_S = 1.0
# How long handlers that were cancelled may take to clean up.
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
        self._stopping = asyncio.Lock()
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
        """Wait for the calls in progress, cancel what remains of them after the grace period, and end."""
        # One at a time: a second stop() of gRPC's while the first one waits can crash the process.
        async with self._stopping:
            is_idle = await _comes_within(grace_s, self._calls.wait_idle())
            await self._server.stop(_FLUSH_S if is_idle else 0)
            # It does not wait for the clean-up of the handlers that it cancelled (grpc#37239).
            await _comes_within(_CLEANUP_S, self._calls.wait_idle())


async def _comes_within(seconds: float, event: Coroutine[None, None, None]) -> bool:
    try:
        await asyncio.wait_for(event, seconds)
    except TimeoutError:
        return False
    return True


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

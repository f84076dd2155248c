"""The gRPC server itself: its options, its port, its end."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import grpc

from numbatch.serving.address import check_free, unix_path, with_port
from numbatch.serving.in_progress import comes_within
from numbatch.serving.rpc.calls import Calls
from numbatch.serving.rpc.hang_up import hang_up
from numbatch.serving.unix_socket import clear_stale, socket_mode

# Callers are told that the server drains until none has called for a moment, or some do not listen.
_QUIET_S = 0.05
_REFUSING_S = 1.0
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
    options : sequence of (str, int)
        What gRPC is told.
    credentials : grpc.ServerCredentials or None
        For TLS; None: in the clear.
    share_port : bool
        Whether the port is reserved already, for this process and others that listen on it; the options say so, too.
    """

    def __init__(
        self,
        handlers: Iterable[grpc.GenericRpcHandler],
        calls: Calls,
        *,
        options: Sequence[tuple[str, int]],
        credentials: grpc.ServerCredentials | None = None,
        share_port: bool = False,
    ) -> None:
        self._calls = calls
        self._credentials = credentials
        self._share_port = share_port
        self._stopping = asyncio.Lock()
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers(tuple(handlers))
        self._address = ""

    async def start(self, listen: str) -> str:
        """Listen on "host:port" or "unix:path", and return the same with the port that it is.

        Raises
        ------
        OSError
            If the address cannot be had; the message says why and what to do.
        """
        self._address = await self._listen(listen)
        return self._address

    async def _listen(self, listen: str) -> str:
        path = unix_path(listen)
        if path is not None:
            clear_stale(Path(path))
            with socket_mode():
                self._bind(f"unix:{path}")  # gRPC removes the file when the server ends
            await self._server.start()
            return f"unix:{path}"
        if not self._share_port:
            check_free(listen)
        port = self._bind(listen)
        await self._server.start()
        return with_port(listen, port)

    async def stop(self, grace_s: float) -> None:
        """Wait for the calls in progress, cancel what remains of them after the grace period, and end."""
        # One at a time: a second stop() of gRPC's while the first one waits can crash the process.
        async with self._stopping:
            is_idle = await comes_within(grace_s, self._calls.wait_idle())
            if is_idle and grace_s > 0:
                await comes_within(_REFUSING_S, self._calls.wait_quiet(_QUIET_S))
                await comes_within(_FLUSH_S, self._calls.wait_none_open())
                hang_up(self._address)
            await self._server.stop(_FLUSH_S if is_idle else 0)
            # It does not wait for the clean-up of the handlers that it cancelled (grpc#37239).
            await comes_within(_CLEANUP_S, self._calls.wait_idle())

    def _bind(self, listen: str) -> int:
        try:
            if self._credentials is None:
                port: int = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, self._credentials)
        except RuntimeError as failed:
            raise OSError(f"cannot listen on {listen}: {failed}") from failed
        return port

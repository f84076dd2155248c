"""The HTTP server itself: its port, its end. It runs on the event loop of the gRPC server."""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from numbatch.serving.address import check_free, parse_address, with_port
from numbatch.serving.http.refusals import tell_in_json

# aiohttp's. It would write down, with a stack, what everybody has sent who speaks no HTTP.
_log = logging.getLogger(__name__)

# How long answers in progress may take to leave when the server ends.
_FLUSH_S = 1.0

_BACKLOG = 128


class HttpListener:
    """Serves routes on a port.

    Parameters
    ----------
    routes : iterable of RouteTableDef or AbstractRouteDef
        What it answers.
    encryption : SSLContext or None
        For TLS; None: in the clear.
    max_connections : int or None
        Further ones are closed at once.
    """

    def __init__(
        self,
        routes: Iterable[web.AbstractRouteDef],
        *,
        encryption: ssl.SSLContext | None = None,
        max_connections: int | None = None,
    ) -> None:
        application = web.Application(middlewares=[tell_in_json])
        application.add_routes(routes)
        self._runner = web.AppRunner(
            application,
            # The line for each request that aiohttp would log is a health check's or a scrape's.
            access_log=None,
            logger=_log,
            shutdown_timeout=_FLUSH_S,
            # What nobody waits for any more is not to be computed.
            handler_cancellation=True,
            # Whoever reads a body unpacks it, no further than is allowed.
            auto_decompress=False,
        )
        self._encryption = encryption
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None

    async def start(self, listen: str, *, shares_port: bool = False) -> str:
        """Listen on "host:port" and return the same with the port that it is.

        Parameters
        ----------
        listen : str
            The address; port 0 is a free one.
        shares_port : bool
            Whether other processes of the same server listen there too.

        Raises
        ------
        OSError
            If the address cannot be had; the message says why and what to do.
        """
        if not shares_port:
            check_free(listen, "http_listen")
        host, port = parse_address(listen, "http_listen")
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._new_connection, host, port, ssl=self._encryption, backlog=_BACKLOG, reuse_port=shares_port
        )
        return with_port(listen, self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End; answers in progress get a moment."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _new_connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None  # it was set up
        if self._max_connections is not None and len(server.connections) >= self._max_connections:
            return _Closed()
        return server()


class _Closed(asyncio.Protocol):
    """A connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


def _is_told(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_log.addFilter(_is_told)

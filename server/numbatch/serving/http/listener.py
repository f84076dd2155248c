"""The HTTP server itself: its port, its end. It runs on the event loop of the gRPC server."""

from collections.abc import Iterable

from aiohttp import web

from numbatch.serving.address import check_free, parse_address, with_port

# How long answers in progress may take to leave when the server ends.
_FLUSH_S = 1.0


class HttpListener:
    """Serves routes on a port.

    Parameters
    ----------
    routes : iterable of RouteTableDef or AbstractRouteDef
        What it answers.
    """

    def __init__(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        application = web.Application()
        application.add_routes(routes)
        # The line for each request that aiohttp would log is a health check's or a scrape's.
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_FLUSH_S)

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
        await web.TCPSite(self._runner, host, port, reuse_port=shares_port).start()
        return with_port(listen, self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End; answers in progress get a moment."""
        await self._runner.cleanup()

"""/metrics, for Prometheus."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.hdrs import ACCEPT, CONTENT_TYPE

# The header Accept -> the text and its content type.
Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]


def metrics_routes(scrape: Scrape) -> list[web.RouteDef]:
    """Return the routes.

    Parameters
    ----------
    scrape : callable
        Writes the metrics down.
    """

    async def metrics(request: web.Request) -> web.Response:
        text, content_type = await scrape(request.headers.get(ACCEPT, ""))
        response = web.Response(body=text, headers={CONTENT_TYPE: content_type})
        response.enable_compression()  # if the peer takes it
        return response

    return [web.get("/metrics", metrics)]

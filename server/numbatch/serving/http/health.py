"""/livez and /readyz, for whoever cannot ask grpc.health.v1: the same answers, from the same place."""

from collections.abc import Callable

from aiohttp import web

from numbatch.serving.lifecycle import Lifecycle


def health_routes(lifecycle: Lifecycle, can_compute: Callable[[], bool]) -> list[web.RouteDef]:
    """Return the routes.

    Parameters
    ----------
    lifecycle : Lifecycle
        Says where the server stands.
    can_compute : callable
        Says whether the threads that run batches are there.
    """

    async def live(_: web.Request) -> web.Response:
        """Say that the event loop runs, and that what waits can run; a server that loads or drains is live."""
        if can_compute():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="a compute thread has ended\n")

    async def ready(_: web.Request) -> web.Response:
        """Say whether requests are to be sent here."""
        if lifecycle.ready:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"{lifecycle.phase.name.lower()}\n")

    return [web.get("/livez", live), web.get("/readyz", ready)]

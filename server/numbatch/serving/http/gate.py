"""Requests over HTTP on their way in: each is let in or refused, counted, and ends with an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION, ORIGIN

from numbatch.serving.address import unix_path
from numbatch.serving.config import ServerConfig
from numbatch.serving.failures import as_numbatch_error, draining
from numbatch.serving.http.bodies import expect_nothing_yet
from numbatch.serving.http.refusals import refusal
from numbatch.serving.in_progress import InProgress, comes_within
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.security.access import Access, Scope
from numbatch.serving.trace_parent import TRACE_PARENT, note_trace_parent
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# How long handlers that were cancelled may take to clean up.
_CLEANUP_S = 2.0

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Terms(NamedTuple):
    """What is asked of whoever wants more than health and metrics.

    Attributes
    ----------
    closed : str
        Why nothing more is answered here; "" if it is.
    certificate : bool
        Whether clients need a certificate. Without one the handshake succeeds, for probes have none.
    """

    closed: str = ""
    certificate: bool = False


def terms_of(config: ServerConfig) -> Terms:
    """Return what a configuration asks: who cannot use gRPC is not to use HTTP instead, unless the operator says so."""
    encrypted = config.http_tls == "on"
    closed = ""
    if config.http_inference == "off":
        closed = "this server answers no inference over HTTP"
    elif config.http_inference == "auto" and config.tls_certificate is not None and not encrypted:
        closed = "this server encrypts gRPC, and HTTP not, so it answers no inference over HTTP"
    elif config.http_inference == "auto" and unix_path(config.listen) is not None:
        closed = (
            "this server has gRPC on a unix socket, which is not for everybody, so it answers no inference over HTTP"
        )
    return Terms(closed, encrypted and config.tls_client_ca is not None)


_NO_TERMS = Terms()


class Gate:
    """Makes handlers, and knows the requests in progress. It belongs to the thread of the event loop.

    Parameters
    ----------
    lifecycle : Lifecycle
        Says whether the server drains.
    access : Access
        Says who may do what.
    terms : Terms
        What is asked of connections.
    traced : bool
        Whether to note the traces that requests belong to.
    """

    def __init__(self, lifecycle: Lifecycle, access: Access, *, terms: Terms = _NO_TERMS, traced: bool = False) -> None:
        self._lifecycle = lifecycle
        self._access = access
        self._terms = terms
        self._traced = traced
        self._let_in: set[asyncio.Task[Any]] = set()
        self._in_progress = InProgress()

    @property
    def in_progress(self) -> int:
        """How many requests were let in and are not answered."""
        return self._in_progress.count

    async def finish(self, grace_s: float) -> None:
        """Wait until all requests that were let in are answered, and cancel what remains after so long."""
        if not await comes_within(grace_s, self._in_progress.wait_idle()):
            for task in list(self._let_in):
                task.cancel()
            await comes_within(_CLEANUP_S, self._in_progress.wait_idle())

    def get(self, path: str, behaviour: Behaviour, needs: Scope | None) -> web.RouteDef:
        """Return the route of what may be looked at.

        Parameters
        ----------
        path : str
            As aiohttp writes it.
        behaviour : callable
            Answers, or raises a NumbatchError.
        needs : Scope or None
            The scope that callers need. None: nothing is asked of them, and the end of the server does not wait for
            the answer.
        """
        return web.get(path, self._handler(behaviour, needs))

    def post(self, path: str, behaviour: Behaviour, needs: Scope) -> web.RouteDef:
        """Return the route of what is done."""
        return web.post(path, self._handler(behaviour, needs), expect_handler=expect_nothing_yet)

    def _handler(self, behaviour: Behaviour, needs: Scope | None) -> Behaviour:
        check = None if needs is None else self._access.check_for(needs)
        # Pages of other sites can have a browser send a request, but not a token, nor read the answer.
        wary = needs is Scope.CONTROL and not self._access.uses_tokens

        def admit(request: web.Request) -> None:
            self._check_connection(request)
            if check is not None:
                check(request.headers.get(AUTHORIZATION))
            if wary and ORIGIN in request.headers:
                problem, got = "a server without tokens does not let web pages control it", "a request with an Origin"
                raise error(Reason.PERMISSION_DENIED, problem, got=got, hint="use --control-tokens-file")

        async def handle(request: web.Request) -> web.StreamResponse:
            if needs is not None:
                if self._lifecycle.draining:
                    return _last(refusal(draining()))
                if self._traced:
                    note_trace_parent(request.headers.get(TRACE_PARENT))
                self._begin()
            try:
                if needs is not None:
                    admit(request)
                return await behaviour(request)
            except web.HTTPException:
                raise
            except Exception as problem:
                return refusal(as_numbatch_error(problem))

        return handle

    def _begin(self) -> None:
        task = asyncio.current_task()  # of this request alone
        assert task is not None
        self._let_in.add(task)
        self._in_progress.begin()
        task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Task[Any]") -> None:
        self._let_in.discard(task)
        self._in_progress.end()

    def _check_connection(self, request: web.Request) -> None:
        if self._terms.closed:
            hint = "its operator allows it with --http-inference on, or --http-tls on"
            raise error(Reason.PERMISSION_DENIED, self._terms.closed, hint=hint)
        if self._terms.certificate and not request.get_extra_info("peercert"):
            raise error(Reason.UNAUTHENTICATED, got="no certificate", expected="a client certificate")


def _last(answer: web.Response) -> web.Response:
    """Have the connection end with an answer, so that the next request finds another server."""
    answer.force_close()
    return answer

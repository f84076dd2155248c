"""What is answered over HTTP, put together."""

from collections.abc import Callable
from typing import NamedTuple

from numbatch.serving.config import ServerConfig
from numbatch.serving.core import Core
from numbatch.serving.http.bodies import Bodies
from numbatch.serving.http.gate import Gate
from numbatch.serving.http.health import health_routes
from numbatch.serving.http.infer import InferRoutes
from numbatch.serving.http.listener import HttpListener
from numbatch.serving.http.metrics import Scrape, metrics_routes
from numbatch.serving.http.oip import OipRoutes
from numbatch.serving.http.tls import server_context
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.observer import Observer
from numbatch.serving.oip.service import OipService
from numbatch.serving.security.certificates import CertificateFiles


class Site(NamedTuple):
    """What answers come from.

    Attributes
    ----------
    lifecycle : Lifecycle
        Says where the server stands.
    can_compute : callable
        Says whether the threads that run batches are there.
    scrape : callable
        Writes the metrics down.
    core : Core
        Does the work.
    oip : OipService
        Answers the rest of the Open Inference Protocol.
    observer : Observer
        Is told of requests for inference.
    """

    lifecycle: Lifecycle
    can_compute: Callable[[], bool]
    scrape: Scrape
    core: Core
    oip: OipService
    observer: Observer


def make_listener(
    config: ServerConfig, site: Site, gate: Gate, certificates: CertificateFiles | None, max_connections: int
) -> HttpListener:
    """Return the HTTP server.

    Parameters
    ----------
    config : ServerConfig
        What the server was told.
    site : Site
        What answers come from.
    gate : Gate
        Lets requests in.
    certificates : CertificateFiles or None
        The server's.
    max_connections : int
        Further ones are closed at once.
    """
    bodies = Bodies(config.max_message_bytes, config.stream_stall_s)
    infer = InferRoutes(
        site.core,
        site.oip.regions,
        site.observer,
        bodies,
        max_message_bytes=config.max_message_bytes,
        max_json_bytes=config.max_json_bytes,
        stall_s=config.stream_stall_s,
    )
    oip = OipRoutes(site.oip, bodies, max_json_bytes=config.max_json_bytes)
    routes = [
        *health_routes(site.lifecycle, site.can_compute),
        *metrics_routes(site.scrape),
        *infer.routes(gate),
        *oip.routes(gate),
    ]
    encryption = server_context(certificates) if config.http_tls == "on" and certificates is not None else None
    return HttpListener(routes, encryption=encryption, max_connections=max_connections)

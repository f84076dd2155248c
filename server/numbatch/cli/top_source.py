"""Where `numbatch top` gets its figures: GET /metrics of a server."""

import http.client
import time
from contextlib import closing

from numbatch.cli.exits import CommandError, ExitCode
from numbatch.cli.top_scrape import Scrape, parse

_HINT = "--http takes the address of `numbatch serve --http-listen`"


def fetch(host: str, port: int, timeout_s: float) -> Scrape:
    """Ask a server.

    Raises
    ------
    CommandError
        If it does not answer, or is none of numbatch's; the message says what to do.
    """
    url = f"http://{host}:{port}/metrics"
    try:
        with closing(http.client.HTTPConnection(host.strip("[]"), port, timeout=timeout_s)) as connection:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            at_s = time.monotonic()
            body = response.read()
    except OSError as silent:
        because = f"no answer in {timeout_s:g} s" if isinstance(silent, TimeoutError) else silent.strerror or silent
        raise CommandError(f"no metrics from {url}: {because}; {_HINT}", ExitCode.UNAVAILABLE) from silent
    except (http.client.InvalidURL, UnicodeError) as no_name:
        raise CommandError(
            f"no metrics from {url}: {host!r} is no name of a host; {_HINT}", ExitCode.USAGE
        ) from no_name
    except http.client.HTTPException as other:
        problem = f"{url} does not speak HTTP, as gRPC's port does not; {_HINT}"
        raise CommandError(problem, ExitCode.UNAVAILABLE) from other
    if response.status != http.client.OK:
        problem = f"{url} answers {response.status} {response.reason}: it is no numbatch server; {_HINT}"
        raise CommandError(problem, ExitCode.UNAVAILABLE)
    try:
        return parse(body.decode(), at_s)
    except ValueError as foreign:
        problem = f"{url} is not of a numbatch server: {foreign}; {_HINT}"
        raise CommandError(problem, ExitCode.UNAVAILABLE) from foreign

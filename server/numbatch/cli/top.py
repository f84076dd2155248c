"""`numbatch top`."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count as count_up

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from numbatch.cli.exits import CommandError
from numbatch.cli.options import SECONDS, json_option
from numbatch.cli.top_scrape import Scrape
from numbatch.cli.top_screen import as_line, as_screen
from numbatch.cli.top_source import fetch
from numbatch.cli.top_view import View, view

DEFAULT_HTTP = "127.0.0.1:8002"
HTTP_VARIABLE = "NUMBATCH_HTTP"


@click.command()
@click.option(
    "--http",
    metavar="HOST:PORT",
    envvar=HTTP_VARIABLE,
    show_envvar=True,
    default=DEFAULT_HTTP,
    show_default=True,
    help="Where the server answers HTTP.",
)
@click.option("--interval", type=SECONDS, default=2.0, show_default=True, help="Seconds between two looks.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N looks. [default: at Ctrl-C]")
@click.option("--timeout", type=SECONDS, default=2.0, show_default=True, help="Seconds to wait for an answer.")
@json_option
def top(http: str, interval: float, count: int | None, timeout: float, json_wanted: bool) -> None:
    """Watch a server: rates, latency, queues, batches, models.

    It asks for /metrics again and again, and shows what happened in between: a screen on a terminal, else a line for
    each look. Percentiles are interpolated in the server's histograms, as Prometheus does. A server that goes away is
    waited for on a terminal, and is an error elsewhere.

    \b
    Examples:
      numbatch top
      numbatch top --http 10.0.0.7:8002 --interval 10
      numbatch top --count 1 --json | jq .latency_s.p99
    """  # noqa: D301
    host, port = _parse(http)
    looks = range(count) if count else count_up()
    watch = _Watch(lambda: fetch(host, port, timeout), interval, looks)
    if json_wanted:
        watch.run(lambda seen: click.echo(json.dumps(asdict(seen))))
    elif sys.stdout.isatty():
        _on_screen(watch, http)
    else:
        watch.run(lambda seen: click.echo(as_line(seen)))


@dataclass(frozen=True)
class _Watch:
    """Looks again and again."""

    ask: Callable[[], Scrape]
    interval_s: float
    looks: Iterable[int]

    def run(self, show: Callable[[View], None], silent: Callable[[CommandError], None] | None = None) -> None:
        """Show each look; that a server which had answered does not any more is told to `silent`, or raised."""
        before = self.ask()
        for _ in self.looks:
            time.sleep(self.interval_s)
            try:
                after = self.ask()
            except CommandError as problem:
                if silent is None:
                    raise
                silent(problem)
                continue
            show(view(before, after))
            before = after


def _on_screen(watch: _Watch, address: str) -> None:
    with Live(Text("..."), console=Console(), auto_refresh=False, screen=False) as live, suppress(KeyboardInterrupt):
        watch.run(
            lambda seen: live.update(as_screen(seen, address), refresh=True),
            lambda problem: live.update(Text(str(problem), "bold red"), refresh=True),
        )


def _parse(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise click.UsageError(f"--http: got {text!r}, expected HOST:PORT", click.get_current_context())
    return host, int(port)

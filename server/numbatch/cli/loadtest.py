"""`numbatch loadtest`."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from numbatch.cli.connection import security_arguments
from numbatch.cli.exits import CommandError, ExitCode
from numbatch.cli.grouped import GroupedCommand, given_arguments
from numbatch.cli.loadtest_options import GROUPS, load_options
from numbatch.cli.loadtest_tables import as_table
from numbatch.cli.loadtest_view import watched
from numbatch.cli.options import server_option
from numbatch.cli.sinks import replaced
from numbatch.client import InvalidArgumentError
from numbatch.loadtest import GeneratorError, Interrupted, Results, Workload, WorkloadError
from numbatch.loadtest import run as run_workload

_DURATION_S = 10.0

_EXIT_CODES = {
    "ok": ExitCode.OK,
    "assertion": ExitCode.ASSERTION,
    "mismatch": ExitCode.ASSERTION,
    "generator_bound": ExitCode.INCONCLUSIVE,
    "unstable": ExitCode.INCONCLUSIVE,
}  # of a run that was not interrupted


@click.command(cls=GroupedCommand, groups=GROUPS)
@click.argument("model", metavar="MODEL")
@load_options
@server_option
def run(
    model: str, json_file: Path | None, html_file: Path | None, quiet: bool, server: str, **options: Any
) -> ExitCode:
    """Put load on a server; `run` may be left out.

    MODEL is NAME or NAME/VERSION, or several with their weights: digits=3,tiny=1. Requests are made beforehand and
    sent by processes of their own; every answer is compared with the right one.

    With --rate, latency counts from the time when a request was to start, whatever kept it from starting: a server
    that stalls for a second has kept all those waiting that were due in it. Where answers set the pace (--concurrency,
    --stream) there is no such time, and latency is how long the service took at that load. A run whose generator could
    not keep up says so, and fails.

    Ctrl-C ends a run early, with what was found until then; pressed again, at once.

    Conditions (--assert, --slo) compare p50 to p99.99, mean, min, max, also as service_p99 or send_lag_p99; errors,
    refused, deadline, unavailable, mismatch, failed, as numbers or in %; requests_per_s, rows_per_s.

    \b
    Examples:
      numbatch loadtest digits
      numbatch loadtest digits --rate 500 --duration 30 --assert 'p99<10ms' --assert errors==0
      numbatch loadtest digits --rate 500:5000:500 --repeats 3 --json new.json --html new.html
      numbatch loadtest digits --concurrency 1:64:x2 --rows 16
      numbatch loadtest digits --stream --window 16 --data images.npy
      numbatch loadtest digits --offline --data images.npy --rows 256
      numbatch loadtest digits --find-max --slo 'p99<10ms'
      numbatch loadtest digits=3,tiny=1 --server 10.0.0.7:8001,10.0.0.8:8001 --rate 2000 --processes 4

    \b
    Exit codes:
      0  done, and all conditions hold
      5  a condition does not hold, or answers were wrong
      6  the figures say little about the server: the generator was the bottleneck, or more was asked than is answered
      the others are those of every command (numbatch --help)
    """  # noqa: D301
    ctx = click.get_current_context()
    try:
        workload = _workload(model, options)
        with watched(Console(stderr=True), quiet=quiet) as on_progress:
            results = run_workload(
                workload,
                server=server,
                on_progress=on_progress,
                command=["numbatch", "loadtest", *given_arguments(ctx)],
                **security_arguments(),
            )
    except WorkloadError as wrong:
        raise click.UsageError(str(wrong), ctx) from wrong
    except InvalidArgumentError as wrong:
        if wrong.model:
            raise
        raise click.UsageError(wrong.message, ctx) from wrong
    except GeneratorError as broken:
        raise CommandError(str(broken), ExitCode.UNAVAILABLE) from broken
    except Interrupted as stopped:
        _write(stopped.results, json_file, html_file)
        return ExitCode.INTERRUPTED
    _write(results, json_file, html_file)
    return _EXIT_CODES[results.verdict]


def _workload(model: str, options: dict[str, Any]) -> Workload:
    wanted = {"stream": options.pop("stream"), "offline": options.pop("offline")}
    chosen = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(chosen) > 1:
        raise WorkloadError("--stream and --offline: give one of them")
    duration, count = options.pop("duration"), options["count"]
    return Workload(
        model=model,
        scenario=chosen[0] if chosen else None,  # type: ignore[arg-type]
        rows_per_message=options.pop("rows"),
        # A number of requests takes as long as it takes.
        duration_s=duration if duration or count else _DURATION_S,
        warmup_s=options.pop("warmup"),
        timeout_s=options.pop("timeout"),
        **options,
    )


def _write(results: Results, json_file: Path | None, html_file: Path | None) -> None:
    from numbatch.loadtest.report import as_html, as_lines

    if json_file:
        with replaced(json_file) as partial:
            partial.write_text(json.dumps(results.to_json(), allow_nan=False) + "\n", encoding="utf-8")
    if html_file:
        with replaced(html_file) as partial:
            partial.write_text(as_html(results), encoding="utf-8")
    if sys.stdout.isatty():
        Console(highlight=False).print(as_table(results))
    else:
        click.echo("\n".join(as_lines(results)))

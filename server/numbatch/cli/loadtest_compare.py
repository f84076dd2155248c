"""`numbatch loadtest compare`."""

import json
import re
import sys
from pathlib import Path

import click
from rich.console import Console

from numbatch.cli.exits import CommandError, ExitCode
from numbatch.cli.loadtest_files import read_results
from numbatch.cli.loadtest_tables import comparison_table
from numbatch.cli.options import json_option
from numbatch.loadtest.report.compare import MAX_MORE_ERRORS, MAX_REGRESS
from numbatch.loadtest.report.compare import compare as compare_results

# Where the output is no terminal, there is no width to keep to.
_UNLIMITED = 1000


def _share(_: click.Context, __: click.Parameter, text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)? *%", text):
        raise click.BadParameter(f"got {text!r}, expected per cent, such as 5%")
    return float(text.rstrip("% ")) / 100


@click.command()
@click.argument("before", type=click.Path(path_type=Path), metavar="A.json")
@click.argument("after", type=click.Path(path_type=Path), metavar="B.json")
@click.option(
    "--max-regress",
    callback=_share,
    default=f"{MAX_REGRESS:.0%}",
    show_default=True,
    metavar="SHARE%",
    help="How much longer latencies may be, and by how much as many answers a second fewer.",
)
@click.option(
    "--max-more-errors",
    callback=_share,
    default=f"{MAX_MORE_ERRORS:.1%}",
    show_default=True,
    metavar="SHARE%",
    help="By how many per cent of all requests those that are not ok may become more.",
)
@click.option(
    "--strict", is_flag=True, help="Fail as well where the runs cannot tell, because their interval is too wide."
)
@json_option
def compare(
    before: Path, after: Path, max_regress: float, max_more_errors: float, strict: bool, json_wanted: bool
) -> ExitCode:
    """Compare two load tests, and say what regressed.

    A.json and B.json are what `numbatch loadtest --json` wrote, the older first. Loads that both have are compared:
    right answers a second, p50, p90, p99 and p99.9 (as far as ten requests or more were slower), requests that are not
    ok, wrong answers, and the highest rate of a search.

    With --repeats, each change has an interval that holds the true one in 95 of 100 cases, from the spread of the
    repeats. A figure has regressed if all of its interval is beyond the limit, and has held if all of it is within;
    else it is undecided, which fails with --strict only. With one run on a side, the figure itself decides.

    The exit code is 1 if anything regressed.

    \b
    Examples:
      numbatch loadtest compare old.json new.json
      numbatch loadtest compare old.json new.json --max-regress 10% --strict
      numbatch loadtest compare old.json new.json --json | jq .verdict
    """  # noqa: D301
    runs = [read_results(path) for path in (before, after)]
    try:
        compared = compare_results(*runs, max_regress=max_regress, max_more_errors=max_more_errors)
    except ValueError as nothing:
        raise CommandError(str(nothing)) from nothing
    if json_wanted:
        click.echo(json.dumps(compared.to_json()))
    else:
        width = None if sys.stdout.isatty() else _UNLIMITED
        Console(highlight=False, width=width).print(comparison_table(compared))
    failing = ("regressed", "undecided") if strict else ("regressed",)
    return ExitCode.NEGATIVE if compared.verdict in failing else ExitCode.OK

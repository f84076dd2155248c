"""`numbatch loadtest report`."""

import sys
from pathlib import Path

import click
from rich.console import Console

from numbatch.cli.loadtest_files import read_results
from numbatch.cli.loadtest_tables import as_table
from numbatch.cli.sinks import replaced


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="RESULTS.json")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with pictures.")
def report(path: Path, html: Path | None) -> None:
    """Show what a load test found, again, or as a page.

    RESULTS.json is what `numbatch loadtest --json` wrote. The page is one file that loads nothing and runs no
    script: it can be kept, sent and shown anywhere.

    \b
    Examples:
      numbatch loadtest report results.json
      numbatch loadtest report results.json --html results.html
    """  # noqa: D301
    from numbatch.loadtest.report import as_html, as_lines

    results = read_results(path)
    if html:
        with replaced(html) as partial:
            partial.write_text(as_html(results), encoding="utf-8")
    if sys.stdout.isatty():
        Console(highlight=False).print(as_table(results))
    else:
        click.echo("\n".join(as_lines(results)))

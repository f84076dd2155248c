"""`numbatch loadtest`: a load test, and what can be done with what it found."""

import click

from numbatch.cli.lazy import LazyCommand, LazyGroup

# The command that is meant where none is named: `numbatch loadtest digits`.
_DEFAULT = "run"

LOADTEST_COMMANDS = {
    "run": LazyCommand("numbatch.cli.loadtest", "run", "Put load on a server; `run` may be left out."),
    "compare": LazyCommand(
        "numbatch.cli.loadtest_compare", "compare", "Compare two load tests, and say what regressed."
    ),
    "report": LazyCommand(
        "numbatch.cli.loadtest_report", "report", "Show what a load test found, again, or as a page."
    ),
}


class _Group(LazyGroup):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.lazy_commands, "--help") and _DEFAULT in self.lazy_commands:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Group, lazy_commands=LOADTEST_COMMANDS)
def loadtest() -> None:
    """Measure a server under load.

    What was measured can be shown again and compared with what is measured later.

    \b
    Examples:
      numbatch loadtest digits --rate 500:5000:500 --repeats 3 --json new.json --html new.html
      numbatch loadtest compare old.json new.json --max-regress 5%
      numbatch loadtest report new.json --html new.html
    """  # noqa: D301

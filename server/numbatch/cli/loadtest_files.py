"""Files with the results of load tests, as the arguments of commands."""

from pathlib import Path

from numbatch.cli.exits import CommandError
from numbatch.loadtest.results import Results


def read_results(path: Path) -> Results:
    """Read what a load test found.

    Raises
    ------
    CommandError
        The file holds something else.
    """
    try:
        return Results.load(path)
    except ValueError as wrong:
        raise CommandError(str(wrong)) from wrong

"""The progress bar on long inputs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# Fewer are done before anybody could read it.
_LONG = 10_000


@contextmanager
def progress(rows: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many rows are done, on standard error, if that is a terminal and the input long.

    Parameters
    ----------
    rows : int or None
        How many there are, if that is known.

    Yields
    ------
    callable
        To be told of more rows that are done.
    """
    console = Console(stderr=True)
    if not console.is_terminal or (rows is not None and rows < _LONG):
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("rows", total=rows)
        yield lambda done: bar.advance(task, done)

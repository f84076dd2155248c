"""What is seen of a load test while it runs: a few lines that move on a terminal, else a line for each second."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from numbatch.loadtest.progress import OnProgress, Progress
from numbatch.loadtest.report import quantities
from numbatch.loadtest.results import Point, Step

# Seconds in the curves.
_CURVE = 60
_BARS = "▁▂▃▄▅▆▇█"


@contextmanager
def watched(console: Console, *, quiet: bool = False) -> Iterator[OnProgress]:
    """Show how a load test goes.

    Parameters
    ----------
    console : Console
        Where; what was found goes elsewhere.
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        To be told.
    """
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        view = LiveView()
        with Live(view.screen(), console=console, auto_refresh=False, transient=True) as live:

            def show(progress: Progress) -> None:
                view.add(progress)
                if progress.finished is not None:
                    live.console.print(Text(finished_line(progress.finished)), highlight=False)
                live.update(view.screen(), refresh=True)

            yield show
    else:

        def say(progress: Progress) -> None:
            lines = [second_line(progress.step, point) for point in progress.points]
            if progress.finished is not None:
                lines.append(finished_line(progress.finished))
            for line in lines:
                console.print(Text(line), soft_wrap=True, highlight=False)

        yield say


def second_line(step: str, point: Point) -> str:
    """Return one second of a step as a line."""
    return (
        f"{step}  {point.t_s + 1:4.0f} s  sent {point.sent:,}  ok {point.ok:,}  errors {point.errors:,}  "
        f"p50 {_time(point.p50_us, point.ok)}  p99 {_time(point.p99_us, point.ok)}  max {_time(point.max_us, point.ok)}"
    )


def finished_line(step: Step) -> str:
    """Return a step that is over as a line."""
    latency = step.latency_us
    errors = f", {step.outcomes.errors:,} errors" if step.outcomes.errors else ""
    times = "  ".join(f"{name} {_time(latency.percentiles[name], latency.count)}" for name in ("p50", "p99", "p99.9"))
    doubt = "  GENERATOR-BOUND" if step.generator.bound else "  UNSTABLE" if step.unstable else ""
    return f"{step.name}: {quantities.rate(step.requests_per_s)} answered{errors}  {times}{doubt}"


class LiveView:
    """The lines on a terminal, as what is told changes them."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._points: deque[Point] = deque(maxlen=_CURVE)

    def add(self, progress: Progress) -> None:
        """Take what is told."""
        if self._progress is not None and progress.step != self._progress.step:
            self._points.clear()
        self._progress = progress
        self._points.extend(progress.points)

    def screen(self) -> RenderableType:
        """Return what is to be seen."""
        progress = self._progress
        if progress is None:
            return Text("preparing ...", "dim")
        of = f" of {progress.of}" if progress.of else ""
        phase = Text("warm-up", "yellow") if progress.elapsed_s < progress.warmup_s else Text("measuring", "green")
        heading = Text.assemble((progress.step, "bold"), f"  step {progress.number}{of}  ", phase)
        heading.append(f"  {progress.elapsed_s:.0f} s  in flight {progress.in_flight:,}")
        parts: list[RenderableType] = [heading]
        if progress.longest_s:
            parts.append(ProgressBar(total=progress.longest_s, completed=progress.elapsed_s, width=_CURVE))
        if self._points:
            parts.append(self._curves(self._points[-1]))
        return Group(*parts)

    def _curves(self, last: Point) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        answers = [float(point.ok) for point in self._points]
        slowest = [point.p99_us for point in self._points]
        table.add_row("answers/s", f"{last.ok:,}", Text(sparkline(answers), "green"))
        table.add_row("p50", _time(last.p50_us, last.ok), "")
        table.add_row("p99", _time(last.p99_us, last.ok), Text(sparkline(slowest), "cyan"))
        table.add_row("errors/s", Text(f"{last.errors:,}", "bold red" if last.errors else "dim"), "")
        return table


def sparkline(values: list[float]) -> str:
    """Return values as bars of eight heights, the highest being the largest value."""
    top = max(values, default=0.0)
    return "".join(_BARS[round((len(_BARS) - 1) * value / top)] if top else _BARS[0] for value in values)


def _time(us: float, count: int) -> str:
    return quantities.duration(us) if count else "-"

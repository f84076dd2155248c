"""What `numbatch top` knows, for people: a screen for a terminal, a line for a file."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from numbatch.cli.top_view import ModelView, Spread, View

_STATE_STYLES = {"ready": "green", "loading": "yellow", "failed": "red", "unloaded": "dim"}


def as_line(seen: View) -> str:
    """Return one line."""
    parts = [
        f"{_rate(seen.requests_per_s)} requests/s",
        f"{_rate(seen.rows_per_s)} rows/s",
        f"latency {_spread(seen.latency_s)}",
        f"queue {_spread(seen.queue_s)}",
        f"batch {_mean(seen.batch_rows)} rows",
        f"in flight {seen.in_flight}",
        f"queued {seen.queued}",
        f"failed {_rate(seen.failures_per_s)}/s",
        f"cpu {seen.cpus:.2f}",
        f"memory {_bytes(seen.memory_bytes)}",
    ]
    return ("" if seen.ready else "NOT READY  ") + "  ".join(parts)


def as_screen(seen: View, address: str) -> RenderableType:
    """Return a screenful."""
    ready = Text("ready", "green") if seen.ready else Text("not ready", "bold red")
    heading = Text.assemble((f"numbatch {seen.server_version}", "bold"), f" on {address}: ", ready)
    summary = Table.grid(padding=(0, 4, 0, 0))
    for row in (
        (f"requests {_rate(seen.requests_per_s)}/s, failed {_rate(seen.failures_per_s)}/s", _rows(seen)),
        (f"latency {_spread(seen.latency_s)}", f"queue {_spread(seen.queue_s)}"),
        (f"in flight {seen.in_flight}, queued {seen.queued}", _batch(seen)),
        (f"connections {seen.connections}, open streams {seen.open_streams}", _late(seen)),
        (f"cpu {seen.cpus:.2f} processors", f"memory {_bytes(seen.memory_bytes)}"),
    ):
        summary.add_row(*map(Text, row))
    troubles = [
        Text(f"{title} {_rates(rates)}", "yellow")
        for title, rates in (("refused at", seen.refusals), ("failed for", seen.failures))
        if rates
    ]
    return Group(heading, "", summary, *troubles, "", _models(seen))


def _models(seen: View) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")  # fits 80 columns
    table.add_column("model/version\n* the default", no_wrap=True)
    table.add_column("\nstate")
    for name in ("requests\nper s", "failed\nper s", "rows\nper s", "\np50", "\np99", "queue\np99", "rows in\na batch"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in seen.models:
        table.add_row(_name(each), Text(each.state or "-", _STATE_STYLES.get(each.state, "")), *map(Text, _cells(each)))
    return table


def _name(each: ModelView) -> Text:
    is_made_up = each.model == each.version  # "(unknown)"
    return Text(each.model if is_made_up else f"{each.model}/{each.version}" + ("*" if each.is_default else ""))


def _cells(each: ModelView) -> list[str]:
    return [
        _rate(each.requests_per_s),
        _rate(each.failures_per_s),
        _rate(each.rows_per_s),
        _time(each.latency_s.p50),
        _time(each.latency_s.p99),
        _time(each.queue_s.p99),
        _mean(each.batch_rows),
    ]


def _rows(seen: View) -> str:
    return f"rows {_rate(seen.rows_per_s)}/s"


def _late(seen: View) -> str:
    return f"event loop late p99 {_time(seen.loop_lag_s.p99)}"


def _batch(seen: View) -> str:
    return f"batch {_mean(seen.batch_rows)} rows of {_mean(seen.batch_requests)} requests"


def _rates(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_rate(rate)}/s" for name, rate in rates.items())


def _spread(spread: Spread) -> str:
    return f"p50 {_time(spread.p50)} p99 {_time(spread.p99)}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 or rate == 0 else f"{rate:.1f}"


def _mean(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.1f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, factor in (("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def _bytes(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"

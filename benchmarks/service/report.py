"""The table as it is made, and the targets at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

_CASE = 44


def heading(names: Sequence[str]) -> str:
    """Return the first line of the table: messages a second, and numbatch's latency and processor time."""
    columns = "".join(f"{name[:10]:>11}" for name in names)
    own = f"{'p50 us':>8} {'p99 us':>8} {'server us':>9} {'gen':>5} {'/echo':>6} {'/mlserver':>9}"
    return f"{'case':{_CASE}}{columns} {own}"


def line(cells: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return the cells of a case as a line. A star: the generator was at its limit."""
    by_name = {cell["contender"]: cell for cell in cells}
    own = by_name.get("numbatch", {})
    columns = "".join(_rate(by_name.get(name)) for name in names)
    return (
        f"{cells[0]['case']:{_CASE}}{columns} {_number(own.get('p50_us'), 8, 0)} {_number(own.get('p99_us'), 8, 0)} "
        f"{_number(own.get('server_us'), 9, 0)} {_number(own.get('generator_cpu'), 5, 2)} "
        f"{_number(own.get('echo_ratio'), 6, 2)} {_number(own.get('peers', {}).get('mlserver'), 9, 2)}"
    )


def overload_lines(found: Mapping[str, Any]) -> str:
    """Return what became of an overload."""
    ok, refused = _number(found["ok_p99_us"], 0, 0), _number(found["refused_p99_us"], 0, 0)
    return (
        f"{found['case']}: capacity {found['capacity_per_s']:.0f}/s, offered {found['offered_per_s']:.0f}/s, "
        f"goodput {found['goodput_per_s']:.0f}/s ({found['goodput_share']:.0%}), p99 of answers {ok} us; "
        f"refused {found['refused']}, p99 {refused} us; others {dict(found['other_statuses'])}; "
        f"send lag p99 {found['send_lag_p99_us']:.0f} us"
    )


def verdicts(judged: Sequence[Mapping[str, Any]]) -> str:
    """Return the targets, met or missed."""
    return "\n".join(
        f"{'PASS' if target['met'] == target['cells'] else 'FAIL'}  {target['name']} "
        f"{'<=' if target['at_most'] else '>='} {target['bound']:g}: {target['met']} of {target['cells']} cells, "
        f"worst {target['worst']:.3g} ({target['worst_case']})"
        for target in judged
    )


def _rate(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return f"{'-':>11}"
    return f"{cell['messages_per_s']:>10.0f}{'*' if cell['generator_bound'] else ' '}"


def _number(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"

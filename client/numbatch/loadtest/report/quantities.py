"""Times, rates, counts and shares as people read them: three digits, and a unit."""

import math


def duration(us: float | None) -> str:
    """Return a time, given in microseconds: "412 us", "3.42 ms", "1.27 s"; "-" for none."""
    if us is None or not math.isfinite(us):
        return "-"
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if abs(us) >= size * 0.9995:
            return f"{significant(us / size)} {unit}"
    return f"{significant(us)} us"


def tick(us: float) -> str:
    """Return a time, given in microseconds, as an axis names it: "500 us", "1.5 ms", "0"."""
    value, _, unit = duration(us).partition(" ")
    return f"{value.rstrip('0').rstrip('.') if '.' in value else value} {unit}" if us else "0"


def seconds(value: float) -> str:
    """Return a time, given in seconds, as one says it: "10 s", "2 min", "1.5 h"."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if value >= 2 * size:
            return f"{plain(round(value / size, 2))} {unit}"
    return f"{plain(round(value, 3))} s"


def rate(per_s: float | None) -> str:
    """Return how often in a second: "4,000/s", "12.3/s"; "-" for none."""
    return "-" if per_s is None or not math.isfinite(per_s) else f"{amount(per_s)}/s"


def amount(value: float) -> str:
    """Return a number with its thousands apart, of three digits at least: "61,234", "12.3"."""
    return f"{value:,.0f}" if abs(value) >= 99.95 or value == int(value) else significant(value)


def plain(value: float) -> str:
    """Return a number as short as it can be written: "3", "2.5"."""
    return f"{value:g}"


def count(value: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """Return how many of something: "1 row", "3 rows"."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def share(part: float, whole: float) -> str:
    """Return a part in per cent. What is not none or all is never shown as if it were."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if part in (0, whole):
        return f"{percent:.0f} %"
    if percent < 0.01:
        return "< 0.01 %"
    if percent > 99.99:
        return "> 99.99 %"
    return f"{percent:.2f} %" if percent < 1 or percent > 99 else f"{percent:.1f} %"


def change(ratio: float) -> str:
    """Return a ratio as a change: "+4.2 %", "-12 %", "x 3.1" from a doubling on."""
    percent = 100 * (ratio - 1)
    if ratio >= 2:
        return f"x {significant(ratio)}"
    if abs(percent) < 0.05:
        return "0.0 %"
    return f"{percent:+.1f} %" if abs(percent) < 9.95 else f"{percent:+.0f} %"


def significant(value: float) -> str:
    """Return a number with three digits, or all before the point: "0.0412", "3.42", "412", "1,270"."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits = 2 - math.floor(math.log10(abs(float(f"{value:.3g}"))))
    shown = f"{value:,.{max(0, digits)}f}"
    return shown.rstrip("0").rstrip(".") if value == int(value) and "." in shown else shown

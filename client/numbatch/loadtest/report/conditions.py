"""What an assertion or an objective is about, for people."""

from numbatch.loadtest.objective import Condition
from numbatch.loadtest.report import quantities


def condition_of(text: str) -> Condition | None:
    """Return the condition that a text is, of several the first; None: of a later version."""
    try:
        return Condition.parse(text.partition(",")[0])
    except ValueError:
        return None


def is_time(condition: Condition) -> bool:
    """Return whether a condition is about microseconds."""
    return not condition.about_errors and not condition.metric.endswith("_per_s")


def judged(text: str, value: float | None) -> str:
    """Return the value that a condition is about: times are in microseconds, shares of 1."""
    condition = condition_of(text)
    if value is None:
        return "-"
    if condition is None:
        return quantities.amount(value)
    if is_time(condition):
        return quantities.duration(value)
    if condition.is_share:
        return quantities.share(value, 1.0)
    return quantities.rate(value) if condition.metric.endswith("_per_s") else quantities.amount(value)

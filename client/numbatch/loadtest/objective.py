"""Conditions on a step, as people write them: p99<10ms, errors==0, errors<0.1%, rows_per_s>50000. Parsed and judged."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from numbatch.loadtest.results import PERCENTILES, Assertion, Distribution, Step

_FORM = re.compile(
    r"\s*(?P<metric>[a-z_0-9.]+)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<number>[0-9.eE+]+)\s*(?P<unit>\S*)\s*"
)

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

_TIME_UNITS_US = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
_COUNT_UNITS = {"": 1.0, "k": 1e3, "M": 1e6}

_SPREADS: dict[str, Callable[[Step], Distribution]] = {
    "": lambda step: step.latency_us,
    "service_": lambda step: step.service_us,
    "send_lag_": lambda step: step.send_lag_us,
}
_NUMBERS = (*PERCENTILES, "mean", "min", "max")
_TIMES = {prefix + name: (spread, name) for prefix, spread in _SPREADS.items() for name in _NUMBERS}

_COUNTS: dict[str, Callable[[Step], float]] = {
    "errors": lambda step: step.outcomes.errors,
    "refused": lambda step: step.outcomes.refused,
    "deadline": lambda step: step.outcomes.deadline,
    "unavailable": lambda step: step.outcomes.unavailable,
    "mismatch": lambda step: step.outcomes.mismatch,
    "failed": lambda step: step.outcomes.failed,
}
_RATES: dict[str, Callable[[Step], float]] = {
    "requests_per_s": lambda step: step.requests_per_s,
    "rows_per_s": lambda step: step.rows_per_s,
}

METRICS = (*_TIMES, *_COUNTS, *_RATES)


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes
    ----------
    text : str
        As it was given.
    metric, sign : str
        What is compared, and how.
    limit : float
        With what: microseconds, a count or rate, or with `is_share` a share of all requests.
    is_share : bool
        Whether counts are compared as a share.
    """

    text: str
    metric: str
    sign: str
    limit: float
    is_share: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises
        ------
        ValueError
            It is none; the message says what is expected.
        """
        form = _FORM.fullmatch(text)
        if form is None:
            raise ValueError(f"got {text!r}, expected a condition such as p99<10ms, errors==0 or rows_per_s>50000")
        metric, sign, unit = form["metric"], form["sign"], form["unit"]
        if metric not in METRICS:
            raise ValueError(f"got {metric!r} in {text!r}, expected one of {_listing()}")
        is_share = unit == "%" and metric in _COUNTS
        units = {"%": 0.01} if is_share else _TIME_UNITS_US if metric in _TIMES else _COUNT_UNITS
        if unit not in units:
            expected = "a time in us, ms or s" if metric in _TIMES else "a number"
            if metric in _COUNTS:
                expected += ", or a share of all requests in %"
            raise ValueError(f"got {text!r}, expected {expected}")
        try:
            number = float(form["number"])
        except ValueError:
            raise ValueError(f"got {text!r}, where {form['number']!r} is not a number") from None
        return cls(text.strip(), metric, sign, number * units[unit], is_share)

    @property
    def about_errors(self) -> bool:
        """Whether it bounds what went wrong."""
        return self.metric in _COUNTS

    @property
    def share_beyond(self) -> float:
        """Which share of all requests it looks at: 0.01 for a p99. 1 if it needs no tail."""
        name = self.metric.removeprefix("service_").removeprefix("send_lag_")
        return 1 - PERCENTILES[name] if name in PERCENTILES else 1.0

    def of_service(self) -> Self:
        """Return the same about the service time, if it is about latency: without what the generator was late."""
        spread, _ = _TIMES.get(self.metric, (None, ""))
        return replace(self, metric=f"service_{self.metric}") if spread is _SPREADS[""] else self

    def value(self, step: Step) -> float | None:
        """Return what is compared; None where nothing was answered."""
        if self.metric in _TIMES:
            spread, name = _TIMES[self.metric]
            times = spread(step)
            if not times.count:
                return None
            return times.percentiles[name] if name in times.percentiles else float(getattr(times, name))
        if self.metric in _RATES:
            return _RATES[self.metric](step)
        count = _COUNTS[self.metric](step)
        return count / max(step.sent, 1) if self.is_share else float(count)

    def holds(self, value: float | None) -> bool:
        """Return whether a value fulfils it."""
        return value is not None and _SIGNS[self.sign](value, self.limit)

    def judge(self, steps: Iterable[Step]) -> Assertion:
        """Judge all steps: it must hold in each, and the worst value is told."""
        values = [self.value(step) for step in steps]
        passed = bool(values) and all(map(self.holds, values))
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return Assertion(text=self.text, value=None, passed=False)
        failing = [value for value in known if not self.holds(value)]
        worst = min if self.sign in (">", ">=") else max
        return Assertion(text=self.text, value=worst(failing or known), passed=passed)


def _listing() -> str:
    return (
        f"{', '.join(name for name in METRICS if not name.startswith(('service_', 'send_lag_')))} (or service_p50 ...)"
    )

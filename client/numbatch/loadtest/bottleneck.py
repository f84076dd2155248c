"""Whether the load generator was the bottleneck: then a step says little about the server. Pure."""

from collections.abc import Sequence

from numbatch.loadtest.objective import Condition
from numbatch.loadtest.results import Distribution, Step

_MOST_CPU = 0.9
_MOST_LAG_US = 1000.0
_MOST_LAG_SHARE = 0.1
# Of fewer, the 99th percentile is the slowest, and one hiccup is no bottleneck.
_FEW = 100


def bottleneck(send_lag_us: Distribution, latency_us: Distribution, cpu_share: Sequence[float]) -> str:
    """Return why the generator is held to be the bottleneck, or "".

    Requests that are sent late have a latency, from the time when they were to be sent, that is partly the
    generator's. With every hundredth that late by more than a millisecond, or a tenth of the median latency if that is
    more, the tail is no longer the server's.

    Parameters
    ----------
    send_lag_us, latency_us : Distribution
        Of all processes.
    cpu_share : sequence of float
        Of each process, how much of a processor it took.
    """
    if cpu_share and max(cpu_share) > _MOST_CPU:
        return (
            f"a generator process was busy {max(cpu_share):.0%} of the time; more processes may help, "
            "or another machine, if this one has none to spare"
        )
    lag, median = send_lag_us.percentiles["p99"], latency_us.percentiles["p50"]
    if send_lag_us.count >= _FEW and lag > max(_MOST_LAG_US, _MOST_LAG_SHARE * median):
        lag_ms, median_ms = lag / 1000, median / 1000
        return f"1 in 100 requests was sent {lag_ms:.1f} ms late or more, of a median latency of {median_ms:.1f} ms"
    return ""


def may_be_the_generators(step: Step, goals: Sequence[Condition]) -> bool:
    """Return whether a step that missed its goals may have done so by the generator's fault.

    It may if a process had no time left, or if the goals would have been met by times counted from when requests were
    really sent. If they were not even so, the server alone was too slow, however late it was asked.
    """
    if not step.generator.bound:
        return False
    by_service = (goal.of_service() for goal in goals)
    return max(step.generator.cpu_share) > _MOST_CPU or all(goal.holds(goal.value(step)) for goal in by_service)

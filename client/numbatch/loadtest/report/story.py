"""What a run was and how it ended, in sentences: the same in the terminal and in the page."""

from collections.abc import Sequence

from numbatch.loadtest.report import quantities
from numbatch.loadtest.report.levels import Level, levels_of
from numbatch.loadtest.results import Results, Search, ServerInfo

VERDICTS = {
    "ok": "passed",
    "assertion": "assertion failed",
    "mismatch": "wrong answers",
    "generator_bound": "generator-bound",
    "unstable": "no steady state",
    "interrupted": "interrupted",
}

# Where requests have a time at which they should start.
_SCHEDULED = {"open", "replay"}


def verdict(results: Results) -> str:
    """Return how it ended, in two words."""
    return VERDICTS.get(results.verdict, results.verdict)


def target(results: Results) -> str:
    """Return what was asked: "digits/1 on 127.0.0.1:8001"."""
    return f"{model(results.server)} on {results.server.address}"


def model(server: ServerInfo) -> str:
    """Return which model, and which version of it: "digits/1", or the mix."""
    is_complete = server.version is None or "/" in server.model
    return server.model if is_complete else f"{server.model}/{server.version}"


def highest_rate(search: Search, results: Results) -> str:
    """Return what a search found."""
    if search.max_rate:
        return quantities.rate(search.max_rate)
    return "not known yet" if results.verdict == "interrupted" else "none"


def workload(results: Results) -> str:
    """Return what was sent, in one sentence."""
    levels = levels_of(results.steps)
    if not levels:
        return "Nothing was sent."
    step = levels[0].first
    loads = f" in {len(levels)} steps" if len(levels) > 1 else ""
    rows = quantities.counted(step.rows_per_message, "row")
    warmup = f", after {quantities.seconds(step.warmup_s)} of warm-up that is left out" if step.warmup_s else ""
    durations = {one.duration_s for one in results.steps}
    least = f"{'at least ' if len(durations) > 1 else ''}{quantities.seconds(min(durations))}"
    if results.search:
        return f"A search: {_sent(levels, results)}{loads}, {rows} each; every trial ran for {least}{warmup}."
    times = quantities.counted(results.repeats, "time") if results.repeats > 1 else "once"
    return f"{_sent(levels, results)}{loads}, {rows} each; every step ran {times}, for {least}{warmup}."


def clock(steps_of: Sequence[Level]) -> str:
    """Return from when on latency counts, in one sentence."""
    scenarios = {level.first.scenario for level in steps_of}
    if scenarios <= _SCHEDULED:
        return (
            "Latency counts from the moment at which a request should have started, not from when it was sent: "
            "a server that stalls is charged for all who had to wait."
        )
    if scenarios & _SCHEDULED:
        return "At a given rate, latency counts from the moment at which a request should have started."
    return (
        "The next request starts when one is answered, so nothing has a time at which it should have started: latency "
        "is the time of service at so many requests at once, and says nothing about any given rate."
    )


def doubts(levels: Sequence[Level]) -> list[str]:
    """Return why some loads' figures are not to be relied on: each kind once, with the reason at the first of them."""
    lines = []
    for kind, reasons in (
        ("the generator was the bottleneck", {level.name: level.bound for level in levels if level.bound}),
        ("no steady state", {level.name: level.unstable for level in levels if level.unstable}),
    ):
        if reasons:
            first, *others = reasons
            lines.append(f"{kind} at {first} ({reasons[first]})" + (f", and at {', '.join(others)}" if others else ""))
    return lines


def _sent(levels: Sequence[Level], results: Results) -> str:
    step = levels[0].first
    lowest, highest = levels[0].load, max(level.load for level in levels)
    span = (
        f"{quantities.amount(lowest)} to {quantities.amount(highest)}"
        if highest > lowest
        else quantities.amount(lowest)
    )
    if step.scenario == "open":
        arrivals = {"poisson": ", at random times (Poisson)", "uniform": ", evenly spaced"}
        return f"{span} requests a second{arrivals.get(str(results.settings.get('arrivals')), '')}"
    if step.scenario == "single":
        return "One request at a time"
    if step.scenario == "closed":
        return f"{span} requests at once, the next when one is answered"
    if step.scenario == "stream":
        streams = quantities.counted(step.concurrency or 1, "stream")
        return f"{streams} with {step.window or 1} messages in flight on each"
    if step.scenario == "offline":
        return "All rows, as fast as possible"
    return "A recorded schedule"

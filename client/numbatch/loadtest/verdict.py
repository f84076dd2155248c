"""What a run comes to. Pure."""

from collections.abc import Sequence

from numbatch.loadtest.results import Assertion, Search, Step, Verdict

# So many more requests may wait at the end, of all that were sent; or so few.
_MOST_BACKLOG = 0.05
_FEW = 20
_TOO_MUCH = "more is asked than is answered"


def verdict(
    steps: Sequence[Step],
    assertions: Sequence[Assertion],
    search: Search | None,
    search_bound: str = "",
    interrupted: str = "",
) -> tuple[Verdict, str]:
    """Return the verdict and its reason.

    A wrong answer comes first: no speed makes up for it. Then what makes figures worthless, then what they say.

    Parameters
    ----------
    steps, assertions, search
        What was found. Of a search, the steps beyond what the server can do are no failure: they are what it looks for.
    search_bound : str
        Why the lowest rate that failed did so by the generator's fault, if so.
    interrupted : str
        Where somebody ended it, if so.
    """
    wrong = sum(step.outcomes.mismatch for step in steps)
    if wrong:
        return "mismatch", f"{wrong:,} wrong answers" + (f"; interrupted {interrupted}" if interrupted else "")
    if interrupted:
        return "interrupted", interrupted
    if search is None:
        for step in steps:
            if step.generator.bound:
                return "generator_bound", f"{step.name}: {step.generator.reason}"
        for step in steps:
            if step.unstable:
                return "unstable", f"{step.name}: {step.unstable}"
    elif search_bound:
        return "generator_bound", f"what failed above {search.max_rate:,.0f}/s may be the generator: {search_bound}"
    elif not search.max_rate:
        return "assertion", f"{search.objective} holds at no rate that was tried"
    failed = [assertion.text for assertion in assertions if not assertion.passed]
    if failed:
        return "assertion", f"does not hold: {', '.join(failed)}"
    silent = [step for step in steps if step.sent and not step.outcomes.ok]
    if silent and search is None:
        most = max(silent[0].errors.items(), key=lambda item: item[1], default=("", 0))[0]
        return "assertion", f"{silent[0].name}: no request was answered rightly: {most}"
    return "ok", ""


def backlog_problem(sent: int, backlog: int, overrun: bool, max_in_flight: int) -> str:
    """Return why an open loop had no steady state, or "".

    Parameters
    ----------
    sent, backlog : int
        Requests of the measurement, and how many more waited at its end than at its beginning.
    overrun : bool
        Whether it was given up, since `max_in_flight` requests waited.
    max_in_flight : int
        That limit.
    """
    if overrun:
        return f"given up, as {max_in_flight:,} requests waited: {_TOO_MUCH}"
    if backlog > max(_FEW, _MOST_BACKLOG * sent):
        return f"{backlog:,} of {sent:,} requests more waited at the end than at the beginning: {_TOO_MUCH}"
    return ""

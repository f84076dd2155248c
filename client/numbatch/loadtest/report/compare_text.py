"""A comparison of two runs in words."""

from numbatch.loadtest.report import quantities
from numbatch.loadtest.report.compare import Change, Comparison
from numbatch.loadtest.report.statistics import CONFIDENCE

HEADS = ("load", "figure", "before", "after", "change", f"{CONFIDENCE:.0%} interval", "verdict")
VERDICTS = {"regressed": "REGRESSED", "undecided": "undecided", "held": "held", "improved": "improved"}


def cells(change: Change) -> list[str]:
    """Return a figure and its change as the cells for `HEADS`."""
    before, after = (_value(change, value) for value in (change.before, change.after))
    return [
        change.load,
        change.metric,
        before,
        after,
        _change(change),
        interval(change),
        VERDICTS[change.verdict],
    ]


def interval(change: Change) -> str:
    """Return where the true change is: "+1.2 % to +9.8 %"; "-" where nothing tells."""
    found = change.ratio
    if found is None or found.low is None or found.high is None:
        return "-"
    return f"{quantities.change(found.low)} to {quantities.change(found.high)}"


def sentences(compared: Comparison) -> list[str]:
    """Return what regressed or seems to, what was left out, what differs, and last the verdict."""
    limit = f"{100 * compared.max_regress:g} %"
    lines = [_finding(change, compared) for change in compared.changes if _matters(change, 1 + compared.max_regress)]
    lines += [f"not compared: {one}" for one in compared.left_out]
    lines += [f"differs: {one}" if ", then " in one else one for one in compared.notes]
    regressed = sum(change.verdict == "regressed" for change in compared.changes)
    undecided = sum(change.verdict == "undecided" for change in compared.changes)
    figures = quantities.counted(len(compared.changes), "figure")
    if regressed:
        lines.append(f"verdict: regressed: {regressed} of {figures} by more than {limit}")
    elif undecided:
        lines.append(f"verdict: undecided: {undecided} of {figures}; none is surely worse by more than {limit}")
    else:
        lines.append(f"verdict: held: none of {figures} is worse by more than {limit}")
    return lines


def _matters(change: Change, limit: float) -> bool:
    """Return whether a figure regressed, or seems to, as far as chance lets one see; the table has the others."""
    if change.verdict != "undecided" or change.ratio is None:
        return change.verdict == "regressed"
    worse = 1 / change.ratio.estimate if change.higher_is_better else change.ratio.estimate
    return worse > limit


def _finding(change: Change, compared: Comparison) -> str:
    limit = f"{100 * compared.max_regress:g} %"
    what = f"{change.load}: {change.metric} {_value(change, change.before)} -> {_value(change, change.after)}"
    if change.ratio is None:
        return f"REGRESSED: {what}"
    what += f" ({_change(change)}"
    if change.ratio.low is None:
        return f"REGRESSED: {what}, one run a side: no interval)"
    excluded = "excludes" if change.verdict == "regressed" else "includes"
    return f"{VERDICTS[change.verdict]}: {what}, interval {interval(change)}: it {excluded} the limit of {limit})"


def _change(change: Change) -> str:
    return quantities.change(change.ratio.estimate) if change.ratio else "-"


def _value(change: Change, value: float) -> str:
    if change.is_time:
        return quantities.duration(value)
    if change.metric == "not ok":
        return quantities.share(value, 1.0)
    if change.metric == "steady state":
        return "yes" if value else "no"
    return quantities.amount(value) if change.metric == "wrong answers" else quantities.rate(value)

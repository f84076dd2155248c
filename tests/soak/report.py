"""What happened in a round, for people and for programs."""

from typing import Any

from soak.rounds import ALLOWED, Round

_ROW = "  {:30} {:>9} {:>9} {:>9} {:>20} {:>9}"


def table(played: Round) -> str:
    """Return a round as lines of text."""
    head = f" {played.seconds:.0f} s, {played.requests:.0f} requests" if played.requests else ""
    lines = [f"\n{played.name}:{head}"]
    for kind, outcomes in sorted(played.ledger.outcomes.items()):
        said = ", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items()))
        lines.append(f"  {kind:30} {said}")
    if played.growths:
        lines.append(_ROW.format("held, by all processes", "first", "last", "growth", "90 % interval", "allowed"))
    for name, grown in played.growths.items():
        allowed = (ALLOWED[name].step + ALLOWED[name].per_hour * grown.hours) * played.processes
        interval = f"{grown.least:+.2f} to {grown.most:+.2f}"
        levels = (f"{grown.first:.1f}", f"{grown.last:.1f}", f"{grown.likely:+.2f}", interval, f"{allowed:.2f}")
        lines.append(_ROW.format(name, *levels) + ("  GROWS" if name in played.leaks else ""))
    lines += [f"  ! {problem}" for problem in played.ledger.problems]
    return "\n".join(lines)


def as_json(played: Round) -> dict[str, Any]:
    """Return a round as JSON has it."""
    return {
        "name": played.name,
        "seconds": played.seconds,
        "requests": played.requests,
        "outcomes": {kind: dict(outcomes) for kind, outcomes in played.ledger.outcomes.items()},
        "growth": {name: grown._asdict() for name, grown in played.growths.items()},
        "samples": [
            {"seconds": at - played.times[0], **sample._asdict()}
            for at, sample in zip(played.times, played.samples, strict=True)
        ],
        "leaks": played.leaks,
        "problems": played.ledger.problems,
    }

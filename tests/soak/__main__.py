"""`make soak SECONDS=120`: hours of use, or as much of it as there is time for, and a verdict.

First one process, then two workers are used and misused; nothing may grow, and every answer is compared. Then the same
with a server that leaks a KiB per request, which must be found: a check that cannot fail proves nothing.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from soak.ledger import Ledger
from soak.report import as_json, table
from soak.rounds import Round, play
from soak.vandals import damage_the_codec

_DAMAGED = 100_000
_SHARE_OF_ONE_PROCESS = 0.55
_LEAKY_S = 40.0


def main() -> int:
    """Play all rounds, print what happened, and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--seconds",
        type=float,
        default=120.0,
        help="for the two rounds together (default: 120); each takes a minute at least, and one more for the leak",
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="what follows from it is told (default: new)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened there, too")
    parser.add_argument("--round", choices=("one", "workers", "leaky"), action="append", help="only this one")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    wanted = chosen.round or ["one", "workers", "leaky"]
    first = chosen.seconds * (_SHARE_OF_ONE_PROCESS if "workers" in wanted else 1)
    rounds: list[Round] = []
    wrong: list[str] = []

    def finish(played: Round, problem: str) -> None:
        rounds.append(played)
        print(table(played), flush=True)
        if problem:
            wrong.append(f"{played.name}: {problem}")

    if "one" in wanted:
        ledger = Ledger()
        damage_the_codec(_DAMAGED, chosen.seed, ledger)
        codec = Round("codec", 0, ledger=ledger)
        finish(codec, "" if codec.is_well else "it reads what protobuf does not")
        one = play("one process", first, seed=chosen.seed)
        finish(one, _problem(one))
    if "workers" in wanted:
        two = play("two workers", chosen.seconds - (first if "one" in wanted else 0), workers=2, seed=chosen.seed)
        finish(two, _problem(two))
    if "leaky" in wanted:
        leaky = play("a server that leaks", _LEAKY_S, leaky=True, seed=chosen.seed)
        finish(leaky, "" if "heap_mib" in leaky.leaks else "the leak was not found: the check is not worth much")
    if chosen.json:
        chosen.json.write_text(
            json.dumps({"seed": chosen.seed, "rounds": [as_json(each) for each in rounds]}, indent=1)
        )
    print("\n" + ("\n".join(f"FAILED: {each}" for each in wrong) or "passed"))
    return 1 if wrong else 0


def _problem(played: Round) -> str:
    problems = [f"{name} grows" for name in played.leaks]
    if played.ledger.problem_count:
        problems.append(f"{played.ledger.problem_count} problems")
    return ", ".join(problems)


if __name__ == "__main__":
    sys.exit(main())

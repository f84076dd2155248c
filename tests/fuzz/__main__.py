"""`make fuzz`: damaged messages by the hundred thousand, through what reads them, and a verdict.

Messages of a corpus are damaged as a seed says, and given to a target one after the other, in this process. None may
crash it, hang, be answered in a way that no caller may see, or leave anything behind.
"""

import argparse
import faulthandler
import sys
import time
from pathlib import Path

from fuzz.run import Finding, run
from fuzz.targets import REARRANGED, TARGETS

_CORPUS = Path(__file__).parent / "corpus"


def main() -> int:
    """Run the targets, and return the exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000, help="for each target (default: 100 000)")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="what follows from it is told (default: new)"
    )
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="only this one")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="where messages go that failed")
    chosen = parser.parse_args()
    faulthandler.enable()
    found: list[Finding] = []
    for name in chosen.target or sorted(TARGETS):
        print(f"{name}: {chosen.messages} messages, seed {chosen.seed}", flush=True)
        with TARGETS[name]() as target:
            outcome = run(target, corpus(name), count=chosen.messages, seed=chosen.seed, rearrange=REARRANGED[name])
        print(f"{name}: {outcome}", flush=True)
        for number, finding in enumerate(outcome.findings):
            print(f"  {finding.problem}", file=sys.stderr)
            if finding.data is not None:
                chosen.findings.mkdir(exist_ok=True)
                (chosen.findings / f"{name}-{chosen.seed}-{number}").write_bytes(finding.data)
        found += outcome.findings
    return 1 if found else 0


def corpus(name: str) -> list[bytes]:
    """Return the messages of a target's corpus, in the order of their names."""
    return [path.read_bytes() for path in sorted((_CORPUS / name).iterdir())]


if __name__ == "__main__":
    sys.exit(main())

"""The service against its peers, in one run.

    python -m benchmarks.service --json FILE [--only SUBSTRING] [--seconds S] [--rounds N] [--quick]
        [--contenders numbatch,echo]

README.md in the folder above says how they are compared and how to read the figures.
"""

import argparse
import contextlib
import importlib.metadata
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.report import write
from benchmarks.service import overload
from benchmarks.service.cases import NETWORKS, Case, cases
from benchmarks.service.cells import measure
from benchmarks.service.contenders import NAMES, Contender, contenders
from benchmarks.service.report import heading, line, overload_lines, verdicts
from benchmarks.service.services import Service, started
from benchmarks.service.targets import IDLE_TARGETS, OVERLOAD_TARGETS, TARGETS, judge

_IDLE = "idle"
_IDLE_S, _SETTLE_S = 10.0, 2.0


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    options = _options()
    chosen = [case for case in cases() if options.only in case.name]
    named = contenders(options.contenders)
    taking_part = [contender for contender in named if contender.version]
    document: dict[str, Any] = {"machine": describe(), "versions": _versions(taking_part), "cells": []}
    print(", ".join(f"{name} {value}" for name, value in (document["machine"] | document["versions"]).items()))
    if absent := [contender.name for contender in named if not contender.version]:
        document["left_out"] = dict.fromkeys(absent, "it is not installed here")
        print(f"left out: {', '.join(absent)}: not installed here; make bench-service installs what can be")
    if not taking_part:
        sys.exit("no contender is left to be measured")
    for workers in sorted({case.workers for case in cases()}):
        of_these = [case for case in chosen if case.workers == workers]
        beside = workers == 1 and (options.only in _IDLE or options.only in overload.NAME)
        if of_these or beside:
            _group(workers, of_these, taking_part, options, document)
    document["targets"] = judge(TARGETS, document["cells"])
    for targets, name in ((OVERLOAD_TARGETS, "overload"), (IDLE_TARGETS, "idle_cpu")):
        if name in document:
            document["targets"] += judge(targets, [document[name]])
    print("\n" + verdicts(document["targets"]))
    if options.json:
        write(document, options.json)


def _group(
    workers: int,
    chosen: Sequence[Case],
    taking_part: Sequence[Contender],
    options: argparse.Namespace,
    document: dict[str, Any],
) -> None:
    """Start the contenders with so many workers, and measure what is chosen."""
    turns = {"seconds": options.seconds, "rounds": options.rounds}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nb", ignore_cleanup_errors=True)))
        services: list[Service] = [
            stack.enter_context(started(contender, NETWORKS, workers, folder / contender.name))
            for contender in taking_part
        ]
        names = [service.contender.name for service in services]
        if workers == 1:
            document["start_s"] = {service.contender.name: service.start_s for service in services}
            print("started in, s: " + ", ".join(f"{name} {s:.1f}" for name, s in document["start_s"].items()))
            if options.only in _IDLE:
                document["idle_cpu"] = _idle(services)
                print("idle, cores: " + ", ".join(f"{name} {x:.4f}" for name, x in document["idle_cpu"].items()))
        print(heading(names))
        for case in chosen:
            found = measure(case, services, folder, **turns)
            document["cells"] += found
            print(line(found, names), flush=True)
            if options.json:
                write(document, options.json)  # a run that is stopped leaves what it has
        if workers == 1 and options.only in overload.NAME:
            for service in services:
                if service.contender.name == "numbatch":
                    document["overload"] = overload.overload(service, **turns)
                    print(overload_lines(document["overload"]))


def _idle(services: Sequence[Service]) -> dict[str, float]:
    """Return the share of a processor that each takes when nobody asks."""
    time.sleep(_SETTLE_S)
    before, start = [service.cpu_s() for service in services], time.monotonic()
    time.sleep(_IDLE_S)
    elapsed = time.monotonic() - start
    return {
        service.contender.name: (service.cpu_s() - used) / elapsed
        for service, used in zip(services, before, strict=True)
    }


def _versions(taking_part: Sequence[Contender]) -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in ("grpcio", "uvloop", "numba")}
    found |= {contender.name: contender.version for contender in taking_part if contender.version}
    return {"python": platform.python_version()} | found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--only", default="", help="what has this in its name: 'rows=1 ', 'stream', 'idle', 'overload'")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn (default: 1.5)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender in a case (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one short turn each: to see that it works")
    parser.add_argument("--contenders", default=",".join(NAMES), help=f"of {','.join(NAMES)} (default: all)")
    options = parser.parse_args()
    options.contenders = options.contenders.split(",")
    if unknown := set(options.contenders) - set(NAMES):
        parser.error(f"no such contenders: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    names = [*(case.name for case in cases()), _IDLE, overload.NAME]
    if not any(options.only in name for name in names):
        parser.error(f"nothing has {options.only!r} in its name; there are {', '.join(names)}")
    if options.quick:
        options.seconds, options.rounds = 0.3, 1
    return options


if __name__ == "__main__":
    main()

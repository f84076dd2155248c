"""The limit: grpcio alone on the same stack. It receives numbatch's requests and answers with as many bytes."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.grid import Network
from benchmarks.service.cases import cases
from benchmarks.service.contenders import Command, Contender, numbatch

_SERVER = Path(__file__).parents[1] / "servers" / "echo_server.py"


def _serve(folder: Path, networks: Sequence[Network], port: int, workers: int) -> Command:
    lengths = folder / "lengths.json"
    lengths.write_text(json.dumps(_lengths(networks)))
    return Command([[sys.executable, str(_SERVER), str(port), str(int(workers > 1)), str(lengths)]] * workers)


def _lengths(networks: Sequence[Network]) -> dict[int, int]:
    """Return the length of numbatch's answer by the length of the request."""
    found: dict[int, int] = {}
    for case in cases():
        if case.network in networks:
            (question,) = numbatch.ask(case.network, case.streamed).values()
            request = question.request(case.network.batch(case.rows))
            found[len(request)] = len(numbatch.answer(case.network, case.rows, case.streamed))
    return found


CONTENDER = Contender(
    "echo", version("grpcio"), _serve, numbatch.ask, numbatch.CONTENDER.outputs, exact=True, computes=False
)

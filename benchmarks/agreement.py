"""Whether `numbatch loadtest` and an independent generator, h2load, find the same on the same server.

    python -m benchmarks.agreement [--rounds 7] [--requests 300]

h2load (Debian's nghttp2-client) speaks HTTP/2 and knows no gRPC, so it is given the bytes of one request and its
headers. The two take turns against one server, with as many requests at once; the medians of the rounds are compared.
The model, eight layers of 2048, computes for milliseconds, so that the cost of the generators is little beside it: what
is compared is what they count, not how fast they are. With `digits` instead, their own cost is most of the difference.
"""

import argparse
import os
import statistics
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numbatch.cli.server_process import ServerProcess
from numbatch.loadtest import Workload, run
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.inference_pb2 import InferRequest
from numbatch.wire.codec import INFER_REQUEST

MODEL, ROWS, INPUTS = "deep", 32, 64
AT_ONCE = (1, 4)


class Found(NamedTuple):
    """What a generator found: answers a second, and latencies in microseconds."""

    answers_per_s: float
    p50: float
    p95: float


def h2load(address: str, request: Path, requests: int, at_once: int) -> Found:
    """Run h2load."""
    log = request.with_name("times")
    log.unlink(missing_ok=True)
    headers = ("--header", "content-type: application/grpc", "--header", "te: trailers")
    load = ("-n", str(requests), "-c", "1", "-m", str(at_once), "-d", str(request), f"--log-file={log}")
    url = f"http://{address}/numbatch.v1.InferenceService/Infer"
    subprocess.run(["h2load", *load, *headers, url], check=True, stdout=subprocess.DEVNULL)
    # Start, status and duration of each request, in microseconds.
    times = np.loadtxt(log, dtype=np.int64)
    starts, durations = times[:, 0], times[:, 2]
    seconds = ((starts + durations).max() - starts.min()) / 1e6
    return Found(len(times) / seconds, *np.percentile(durations, [50, 95]).tolist())


def ours(address: str, data: Path, requests: int, at_once: int) -> Found:
    """Run the load tester."""
    workload = Workload(model=MODEL, concurrency=[at_once], count=requests, rows_per_message=ROWS, data=data)
    (step,) = run(workload, server=address).steps
    latency = step.latency_us.percentiles
    return Found(step.requests_per_s, latency["p50"], latency["p95"])


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repository, data, request = (Path(folder, name) for name in ("models", "x.npy", "request"))
        layers = [Dense(2048, "relu", kernel_initializer="he_uniform") for _ in range(8)]
        Sequential([Input((INPUTS,)), *layers, Dense(16)], name=MODEL, seed=1).save(repository / MODEL)
        x = np.random.default_rng(0).standard_normal((ROWS, INPUTS)).astype(np.float32)
        np.save(data, x)
        message = INFER_REQUEST.encode(InferRequest(model_name=MODEL), [("", x)])
        request.write_bytes(b"\0" + struct.pack(">I", len(message)) + message)
        # With two, a generator would compete with the second one for a machine's two processors.
        with ServerProcess(repository, ["--compute-threads", "1"]) as server:
            for at_once in AT_ONCE:
                theirs_found, ours_found = [], []
                for _ in range(options.rounds):
                    theirs_found.append(h2load(server.address, request, options.requests, at_once))
                    ours_found.append(ours(server.address, data, options.requests, at_once))
                _report(at_once, theirs_found, ours_found)


def _report(at_once: int, theirs: Sequence[Found], mine: Sequence[Found]) -> None:
    for field in Found._fields:
        one, other = (statistics.median(getattr(found, field) for found in side) for side in (theirs, mine))
        print(f"{at_once} at once  {field:<14} h2load {one:>9.1f}  numbatch {other:>9.1f}  {other / one - 1:+.1%}")


if __name__ == "__main__":
    os.environ.pop("NUMBATCH_SERVER", None)
    main()

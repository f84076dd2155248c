"""How long a process takes until it can compute: without the kernels' cache, and with it."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

_PROGRAM = """
import json, time
start = time.perf_counter()
from benchmarks.grid import NETWORKS
from numbatch.engine import load_model
network = next(network for network in NETWORKS if network.name == "784-512-512-10")
message = network.message()
imported = time.perf_counter()
load_model(message).infer(network.batch(1))
print(json.dumps({"imports": imported - start, "load_model": time.perf_counter() - imported}))
"""

_WARM_STARTS = 3


def startup() -> dict[str, dict[str, float]]:
    """Return the seconds of the imports, of `load_model` with its first call, and of the whole process."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _start(cache)
        warm = [_start(cache) for _ in range(_WARM_STARTS)]
    return {"cold": cold, "warm": {name: statistics.median(run[name] for run in warm) for name in cold}}


def _start(cache: str) -> dict[str, float]:
    started = time.perf_counter()
    environment = os.environ | {"NUMBATCH_CACHE_DIR": cache}
    run = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(run.stdout)
    return figures | {"process": time.perf_counter() - started}

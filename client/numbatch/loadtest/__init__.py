"""Load tests of a server: true latencies, verified answers, and a verdict.

>>> from numbatch.loadtest import Workload, run
>>> results = run(Workload(model="digits", rates=[500]), server="127.0.0.1:8001")     # doctest: +SKIP
>>> results.steps[0].latency_us.percentiles["p99"]                                    # doctest: +SKIP
812.4

It needs what `numbatch.client` needs, and nothing else. uvloop is used where it is installed.
"""

from numbatch.loadtest.errors import GeneratorError, WorkloadError
from numbatch.loadtest.interruption import Interrupted
from numbatch.loadtest.progress import Progress
from numbatch.loadtest.results import Results
from numbatch.loadtest.run import run
from numbatch.loadtest.workload import Workload

__all__ = ["GeneratorError", "Interrupted", "Progress", "Results", "Workload", "WorkloadError", "run"]

"""Load tests need what the thin client needs."""

import subprocess
import sys

SCRIPT = """
import sys
import numbatch.loadtest, numbatch.loadtest.process, numbatch.loadtest.report
loaded = {name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])
assert not loaded, loaded
"""
NOT_NEEDED = ("aiohttp", "click", "numba", "prometheus_client", "pyarrow", "rich")


def test_they_import_nothing_of_the_extras() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT, *NOT_NEEDED], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr

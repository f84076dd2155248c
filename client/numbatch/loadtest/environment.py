"""Where the generator runs."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from numbatch.loadtest.results import Environment

_PACKAGES = ("numbatch", "grpcio", "numpy", "protobuf", "uvloop")


def environment() -> Environment:
    """Describe this machine and what is installed."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        versions={name: found for name in _PACKAGES if (found := _version(name))},
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

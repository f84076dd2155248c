"""What the figures were measured on."""

import os
import platform
from pathlib import Path
from typing import Any

from numbatch.kernels.target import TARGET

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def caches() -> dict[str, int]:
    """Return the bytes of the first processor's data caches, as "L1", "L2", "L3"."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            size = (index / "size").read_text().strip()
            found["L" + (index / "level").read_text().strip()] = int(size[:-1]) * _UNITS[size[-1]]
    return found


def describe() -> dict[str, Any]:
    """Return the machine for the report."""
    return {
        "cpu": _model(),
        "cpus": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "instruction_set": TARGET.name,
        "system": platform.platform(),
    }


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    pairs = (line.partition(":") for line in lines)
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    names = ("model name", "cpu family", "model")
    return " ".join(
        fields[name] if name == "model name" else f"{name} {fields[name]}" for name in names if name in fields
    )

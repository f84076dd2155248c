"""Code for another instruction set than this processor's best, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from numbatch.kernels.target import INSTRUCTION_SETS, effective_features

_AVX2 = "+avx,+avx2,+bmi,+bmi2,+fma,+sse4.2,+popcnt"

# What makes Numba compile for it; all of x86-64.
FORCED = {
    "avx512": {
        "NUMBA_CPU_NAME": "skylake-avx512",
        "NUMBA_CPU_FEATURES": f"{_AVX2},+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl",
    },
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": _AVX2},
    "portable": {"NUMBA_CPU_NAME": "generic"},
}


def can_run(name: str) -> bool:
    """Tell whether this processor has an instruction set."""
    return effective_features().issuperset(next(s for s in INSTRUCTION_SETS if s.name == name).requires)


def printed_by(script: str, **environment: str) -> str:
    """What a Python script prints that may import the tests' support."""
    inherited = dict(os.environ)
    if "NUMBA_CPU_NAME" in environment:
        inherited.pop("NUMBA_CPU_FEATURES", None)
    variables = {**inherited, **environment, "PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

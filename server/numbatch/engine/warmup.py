"""Compiling the kernels before they are needed, as an image's build does."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from numbatch.engine.threads import compute_team
from numbatch.kernels.cache import cache_directory
from numbatch.kernels.library import compiled_kernels
from numbatch.kernels.program import run_network
from numbatch.kernels.target import TARGET

PARTS = (compiled_kernels, run_network)


# Whatever comes of it: where it leaves nothing in the cache, the kernels are compiled here.
_PROGRAM = "from numbatch.engine.warmup import PARTS\nfor part in PARTS: part.prepare()"


class WarmUp(NamedTuple):
    """How the kernels became ready.

    Attributes
    ----------
    instruction_set : str
        "avx512", "avx2", "neon" or "portable": what they use on this machine.
    cache_directory : Path
        Where their machine code is kept for the next process.
    from_cache : bool
        Whether it was there already. False: it was compiled.
    problem : str
        Why it could not be kept there; "" if it is.
    seconds : float
        How long it took.
    """

    instruction_set: str
    cache_directory: Path
    from_cache: bool
    problem: str
    seconds: float


def warm_up(*, apart: bool = False) -> WarmUp:
    """Make the kernels ready, and the threads that run them: take code from the cache, or compile it and keep it.

    Parameters
    ----------
    apart : bool
        Compile in a process of its own, for a process that lives long: the compiler's 100 MB end with it.
    """
    started = time.perf_counter()
    done = make_code(apart=apart)
    compute_team()
    return done._replace(seconds=time.perf_counter() - started)


def make_code(*, apart: bool = False) -> WarmUp:
    """Make the machine code of the kernels, and run none of it: it may be for another processor than this one.

    Parameters
    ----------
    apart : bool
        As for `warm_up`.
    """
    started = time.perf_counter()
    for part in PARTS:
        part.prepare(_compile_apart if apart else None)
    seconds = time.perf_counter() - started
    from_cache = all(part.from_cache for part in PARTS)
    problem = next((part.cache_problem for part in PARTS if part.cache_problem), "")
    return WarmUp(TARGET.name, cache_directory(), from_cache, problem, seconds)


def _compile_apart() -> None:
    with contextlib.suppress(OSError):  # as from an interpreter inside another program
        program = [sys.executable or "python3", "-c", _PROGRAM]
        subprocess.run(program, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)

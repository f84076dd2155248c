"""Machine code for a class of processors instead of for this very one, so that it can be compiled beforehand.

Numba compiles for the processor that it runs on, by name: code from a build machine is of no use on the next kind of
server. NUMBATCH_CPU_LEVEL names a level of x86-64 instead, or says "auto": the highest that this processor has. An
image holds the code of all levels (`numbatch warmup --cpu-level all`) and finds one of them wherever it runs.

No bit of a result depends on it. It must be chosen before Numba is imported, and processes that are started later
inherit the choice. This file imports no compiler.
"""

from collections.abc import MutableMapping
from pathlib import Path
from typing import NamedTuple

VARIABLE = "NUMBATCH_CPU_LEVEL"

AUTO, HOST = "auto", "host"

_CPU_NAME, _CPU_FEATURES = "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"


class Level(NamedTuple):
    """A level of x86-64, as the psABI and all compilers define it.

    Attributes
    ----------
    name : str
        LLVM's name of it.
    adds : tuple of tuple of str
        What it has beyond the level below: Linux's name of each feature in /proc/cpuinfo, and LLVM's.
    """

    name: str
    adds: tuple[tuple[str, str], ...]


_V2 = Level(
    "x86-64-v2",
    (
        *(("cx16", "cx16"), ("lahf_lm", "sahf"), ("popcnt", "popcnt"), ("pni", "sse3"), ("ssse3", "ssse3")),
        *(("sse4_1", "sse4.1"), ("sse4_2", "sse4.2")),
    ),
)
_V3 = Level(
    "x86-64-v3",
    (
        *(("avx", "avx"), ("avx2", "avx2"), ("bmi1", "bmi"), ("bmi2", "bmi2"), ("f16c", "f16c"), ("fma", "fma")),
        *(("abm", "lzcnt"), ("movbe", "movbe"), ("xsave", "xsave")),
    ),
)
_V4 = Level("x86-64-v4", tuple((name, name) for name in ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")))

# The highest first; each has all that those after it have.
LEVELS = (_V4, _V3, _V2)

NAMES = tuple(level.name for level in LEVELS)


def compiles_for(name: str) -> dict[str, str]:
    """Return the environment in which Numba compiles for a level, whether or not this processor has it."""
    at = NAMES.index(name)
    features = [llvm for level in reversed(LEVELS[at:]) for _, llvm in level.adds]
    return {_CPU_NAME: name, _CPU_FEATURES: ",".join(f"+{feature}" for feature in features)}


def levels_of(flags: frozenset[str]) -> tuple[str, ...]:
    """Return the names of the levels that a processor with these flags of Linux has, the highest first."""
    had: list[str] = []
    for level in reversed(LEVELS):
        if not flags.issuperset(linux for linux, _ in level.adds):
            break
        had.insert(0, level.name)
    return tuple(had)


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return what Linux calls the features of this processor; none where there is no Linux, or it is no x86."""
    try:
        with cpuinfo.open() as lines:
            for line in lines:
                if line.startswith("flags"):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


def choose(environment: MutableMapping[str, str], flags: frozenset[str] | None = None) -> None:
    """Make Numba, which is yet to be imported, compile for what NUMBATCH_CPU_LEVEL asks for.

    Nothing changes where it is not set, or where NUMBA_CPU_NAME or NUMBA_CPU_FEATURES is. A processor without any level
    (an old one, or none of x86-64) gets code of its own with "auto".

    Parameters
    ----------
    environment : mutable mapping
        Whose variables are read and set.
    flags : frozenset of str, optional
        Linux's features of the processor. Default: this one's.

    Raises
    ------
    OSError
        If there is no such level, or this processor does not have it.
    """
    wanted = environment.get(VARIABLE, "")
    if wanted in ("", HOST) or environment.get(_CPU_NAME) or environment.get(_CPU_FEATURES):
        return
    if wanted not in (AUTO, *NAMES):
        raise OSError(f"{VARIABLE} is {wanted!r}; it can be {AUTO}, {HOST}, {', '.join(NAMES)}")
    had = levels_of(processor_flags() if flags is None else flags)
    if wanted == AUTO:
        if had:
            environment.update(compiles_for(had[0]))
    elif wanted in had:
        environment.update(compiles_for(wanted))
    else:
        has = f"no more than {had[0]}" if had else "none of the levels of x86-64"
        raise OSError(f"{VARIABLE} is {wanted}, and this processor has {has}; set it to {AUTO}")

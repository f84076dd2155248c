"""Levels of x86-64: code that was compiled on one machine is found on every other of its level."""

from pathlib import Path
from typing import Any

import pytest

from numbatch.kernels.levels import LEVELS, NAMES, choose, compiles_for, levels_of, processor_flags
from support.instruction_sets import printed_by

HAS = {level.name: frozenset(linux for linux, _ in level.adds) for level in LEVELS}
V2 = HAS["x86-64-v2"] | {"fpu", "sse2"}
V3 = V2 | HAS["x86-64-v3"]
V4 = V3 | HAS["x86-64-v4"]


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (V4, NAMES),
        (V3, ("x86-64-v3", "x86-64-v2")),
        (V2, ("x86-64-v2",)),
        (V4 - {"movbe"}, ("x86-64-v2",)),  # AVX-512 alone does not make a level: a virtual machine may hide anything
        (frozenset({"fpu", "sse2"}), ()),
        (frozenset(), ()),  # no x86 processor
    ],
)
def test_a_processor_has_a_level_if_it_has_all_of_it_and_of_those_below(flags: Any, names: Any) -> None:
    assert levels_of(flags) == names


@pytest.mark.parametrize(
    ("wanted", "flags", "name"),
    [
        ("auto", V4, "x86-64-v4"),
        ("auto", V3, "x86-64-v3"),
        ("x86-64-v3", V4, "x86-64-v3"),
        ("x86-64-v2", V2, "x86-64-v2"),
    ],
)
def test_numba_is_told_the_level(wanted: Any, flags: Any, name: Any) -> None:
    environment = {"NUMBATCH_CPU_LEVEL": wanted, "HOME": "/"}
    choose(environment, flags)
    assert environment == {"NUMBATCH_CPU_LEVEL": wanted, "HOME": "/", **compiles_for(name)}
    choose(environment, flags)  # as a process does that was started by the first
    assert environment == {"NUMBATCH_CPU_LEVEL": wanted, "HOME": "/", **compiles_for(name)}


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        ({}, V4),
        ({"NUMBATCH_CPU_LEVEL": ""}, V4),
        ({"NUMBATCH_CPU_LEVEL": "host"}, V4),
        ({"NUMBATCH_CPU_LEVEL": "auto"}, frozenset()),  # nothing is known of it: code for this very processor
        ({"NUMBATCH_CPU_LEVEL": "auto", "NUMBA_CPU_NAME": "generic"}, V4),  # who tells Numba knows better
        ({"NUMBATCH_CPU_LEVEL": "auto", "NUMBA_CPU_FEATURES": "+avx2"}, V4),
    ],
)
def test_otherwise_it_is_left_alone(environment: Any, flags: Any) -> None:
    before = dict(environment)
    choose(environment, flags)
    assert environment == before


@pytest.mark.parametrize(
    ("wanted", "flags", "problem"),
    [
        ("x86-64-v5", V4, "NUMBATCH_CPU_LEVEL is 'x86-64-v5'; it can be auto, host, x86-64-v4, x86-64-v3, x86-64-v2"),
        ("x86-64-v4", V3, "this processor has no more than x86-64-v3; set it to auto"),
        ("x86-64-v3", frozenset(), "this processor has none of the levels of x86-64; set it to auto"),
    ],
)
def test_a_level_that_cannot_be_had_is_refused(wanted: Any, flags: Any, problem: Any) -> None:
    environment = {"NUMBATCH_CPU_LEVEL": wanted}
    with pytest.raises(OSError, match="NUMBATCH_CPU_LEVEL") as refused:
        choose(environment, flags)
    assert str(refused.value).endswith(problem)
    assert environment == {"NUMBATCH_CPU_LEVEL": wanted}


def test_flags_are_those_of_the_first_processor(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nvmx flags\t: vnmi\nflags\t\t: fpu sse2 avx\n\nprocessor\t: 1\nflags\t\t: fpu\n")
    assert processor_flags(file) == {"fpu", "sse2", "avx"}
    assert processor_flags(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("name", "instruction_set"), [("x86-64-v4", "avx512"), ("x86-64-v3", "avx2"), ("x86-64-v2", "portable")]
)
def test_each_level_has_the_kernels_that_are_meant_for_it(name: str, instruction_set: str) -> None:
    script = "from numbatch.kernels.target import TARGET; print(TARGET.name)"
    assert printed_by(script, **compiles_for(name)) == f"{instruction_set}\n"


# What Numba keeps machine code under, beside the function: by a processor's name, only its kind would find it.
KEY = """
from numbatch.kernels.target import cpu_target
print(cpu_target.target_context.codegen().magic_tuple()[1:])
"""


@pytest.mark.skipif(not levels_of(processor_flags()), reason="this processor has none of the levels of x86-64")
def test_machine_code_is_kept_under_the_level_and_not_under_the_name_of_a_processor(monkeypatch: Any) -> None:
    for variable in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(variable, raising=False)
    (name, *_) = levels_of(processor_flags())
    assert printed_by(KEY, NUMBATCH_CPU_LEVEL="auto") == f"{tuple(compiles_for(name).values())}\n"

"""The machine code that came of the micro-kernels: what they promise about registers is seen there."""

import re
from typing import Any

import pytest

from numbatch.kernels.library import compiled_kernels
from numbatch.kernels.microkernel import panels_of, variants
from numbatch.kernels.target import INSTRUCTION_SETS, TARGET
from support.instruction_sets import FORCED, printed_by

# It is compiled, not run: any x86 processor will do.
PRINT_ASSEMBLY = "from numbatch.kernels.library import compiled_kernels; print(compiled_kernels.assembly())"


def functions(assembly: str) -> Any:
    """The lines of each function, by name."""
    found: Any = {}
    lines: list[str] = []
    for line in assembly.splitlines():
        label = re.match(r"([\w.$]+):", line)
        if label and not label[1].startswith(".L"):
            lines = found.setdefault(label[1], [])
        lines.append(line.strip())
    return found


def inner_loops(lines: Any) -> Any:
    """The innermost loops that multiply: from a label to the jump back to it, with no other label between."""
    loops = []
    labels = {line[:-1]: at for at, line in enumerate(lines) if line.startswith(".L") and line.endswith(":")}
    for at, line in enumerate(lines):
        jump = re.match(r"j\w+\s+(\.L\w+)", line)
        start = labels.get(jump[1], at) if jump else at
        body = lines[start + 1 : at]
        if body and "vfmadd" in " ".join(body) and not any(inner.endswith(":") for inner in body):
            loops.append(body)
    return loops


def assert_sums_stay_in_registers(assembly: str, target: Any) -> None:
    """In the loop over inputs no vector comes from the stack or goes there, and nothing is multiplied in vain."""
    lines = functions(assembly)
    for variant in variants():
        loops = inner_loops(lines[variant.name])
        spills = [line for loop in loops for line in loop if "%rsp" in line and re.search(r"%[xyz]mm", line)]
        products = [sum("vfmadd" in line for line in loop) for loop in loops]
        assert (spills, products) == ([], [variant.rows * variant.panels * target.nv]), variant.name


@pytest.mark.skipif(TARGET.name not in ("avx512", "avx2"), reason="reads x86 assembly of code with vectors")
def test_the_loop_over_inputs_keeps_its_sums_in_registers() -> None:
    assert_sums_stay_in_registers(compiled_kernels.assembly(), TARGET)


@pytest.mark.skipif(TARGET.name not in ("avx512", "avx2"), reason="compiles for x86 processors with vectors")
@pytest.mark.parametrize("name", ["avx512", "avx2"])
def test_so_it_does_on_other_processors(name: str, monkeypatch: Any, tmp_path: Any) -> None:
    target = next(target for target in INSTRUCTION_SETS if target.name == name)
    monkeypatch.setattr("numbatch.kernels.microkernel.TARGET", target)
    assembly = printed_by(PRINT_ASSEMBLY, **FORCED[name], NUMBATCH_CACHE_DIR=str(tmp_path))
    assert_sums_stay_in_registers(assembly, target)


@pytest.mark.parametrize("target", INSTRUCTION_SETS, ids=lambda target: target.name)
def test_no_tile_needs_more_registers_than_there_are(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbatch.kernels.microkernel.TARGET", target)
    for rows in range(1, target.mr + 1):
        assert panels_of(rows, bf16=False) * target.nv * (rows + 1) + 1 <= target.registers, rows

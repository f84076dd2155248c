"""The machine code that came of the micro-kernels: what they promise about registers is seen there."""

import re
from functools import cache
from typing import Any

import pytest

from numbatch.kernels.library import compiled_kernels
from numbatch.kernels.microkernel import Variant, panels_of, variants
from numbatch.kernels.target import INSTRUCTION_SETS, TARGET

X86 = TARGET.name in ("avx512", "avx2")
MOVES = re.compile(r"\bv?mov[au]p[sd]\b|\bvmovdq|\bv?movs[sd]\b|\bvbroadcast")


@cache
def functions() -> Any:
    """The lines of each function, by name."""
    found: Any = {}
    lines: list[str] = []
    for line in compiled_kernels.assembly().splitlines():
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


@pytest.mark.skipif(not X86, reason="reads x86 assembly of code with vectors")
@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_the_loop_over_inputs_keeps_its_sums_in_registers(variant: Variant) -> None:
    loops = inner_loops(functions()[variant.name])
    assert loops, "no loop found that multiplies"
    for loop in loops:
        assert not [line for line in loop if "rsp" in line and MOVES.search(line)], loop
    # One fused multiply-add for each row and vector of an input; the loop over pairs of bfloat16 has twice that.
    products = variant.rows * variant.panels * TARGET.nv
    counts = {sum("vfmadd" in line for line in loop) for loop in loops}
    assert counts <= {products, 2 * products}


@pytest.mark.parametrize("target", INSTRUCTION_SETS, ids=lambda target: target.name)
def test_no_tile_needs_more_registers_than_there_are(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbatch.kernels.microkernel.TARGET", target)
    for rows in range(1, target.mr + 1):
        assert panels_of(rows, bf16=False) * target.nv * (rows + 1) + 1 <= target.registers, rows

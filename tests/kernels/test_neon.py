"""The micro-kernels for NEON, as LLVM compiles them: seen here on any machine, run where there is such a processor."""

import re
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import pytest
from llvmlite import ir

from numbatch.kernels import microkernel, simd
from numbatch.kernels.target import INSTRUCTION_SETS, NR

NEON = next(target for target in INSTRUCTION_SETS if target.name == "neon")
TRIPLE = "aarch64-unknown-linux-gnu"


@cache
def assembly() -> str:
    """All micro-kernels for a server processor of 2019, compiled as Numba does it: at the third level."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(TRIPLE)
    except RuntimeError as missing:
        pytest.skip(f"this build of llvmlite compiles for the host alone: {missing}")
    module = ir.Module()
    module.triple = TRIPLE
    for kernel in microkernel.kernels():
        simd.define(module, kernel).linkage = "external"
    machine = target.create_target_machine(cpu="neoverse-n1", features="+neon", opt=3)
    code = llvm.parse_assembly(str(module))
    code.verify()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(code, passes)
    return str(machine.emit_assembly(code))


def loop_over_inputs(name: str) -> list[str]:
    """The instructions of a kernel's loop: the one that multiplies, between a label and the jump back to it."""
    text = assembly()
    body = text[text.index(f"\n{name}:") :]
    lines = [line.strip() for line in body[: body.index(".Lfunc_end")].splitlines()]
    labels = {line[:-1]: at for at, line in enumerate(lines) if line.startswith(".L") and line.endswith(":")}
    loops = []
    for at, line in enumerate(lines):
        jump = re.match(r"(?:b\.\w+|b|cbn?z \w+,)\s+(\.L\w+)", line)
        if jump and labels.get(jump[1], at) < at:
            inner = lines[labels[jump[1]] + 1 : at]
            if any("fmla" in each for each in inner) and not any(each.endswith(":") for each in inner):
                loops.append(inner)
    (loop,) = loops
    return loop


@pytest.fixture(autouse=True)
def for_neon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbatch.kernels.microkernel.TARGET", NEON)


@pytest.mark.parametrize("rows", range(1, NEON.mr + 1))
@pytest.mark.parametrize("bf16", [False, True], ids=["f32", "bf16"])
def test_sums_stay_in_registers_and_are_fused(rows: int, bf16: Any) -> None:
    found = [v for v in microkernel.variants() if v.rows == rows and v.bf16 == bf16]
    assert found or rows > NEON.bf16_mr
    for variant in found:
        loop = loop_over_inputs(variant.name)
        assert sum("fmla" in line for line in loop) == rows * variant.panels * NR // NEON.lanes
        spilled = [line for line in loop if re.search(r"\b(?:ldr|str|ldp|stp)\s+q", line) and "[sp" in line]
        assert not spilled

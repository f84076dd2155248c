"""Layers of few units: rows in lanes instead of units, and the same bits."""

import ctypes
import hashlib
import mmap
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from numbatch.kernels import reference
from numbatch.kernels.blocking import NARROW_UNITS, rows_in_lanes
from numbatch.kernels.library import all_kernels
from numbatch.kernels.microkernel import KB
from numbatch.kernels.narrow import computed_units
from numbatch.kernels.target import INSTRUCTION_SETS, TARGET, effective_features
from support.layers import bits, run_dense

LANES = TARGET.lanes
BLOCK = 200

# Runs in a process of its own, with the instruction set that the environment asks for.
DIGEST = """
import numpy as np
from kernels.test_narrow import digest
from numbatch.kernels.target import TARGET
print(TARGET.name, digest())
"""

FORCED = {
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+fma,+sse4.2,+popcnt"},
    "portable": {"NUMBA_CPU_NAME": "generic"},
}


def draw(rows: Any, inputs: Any, units: Any) -> Any:
    rng = np.random.default_rng([rows, inputs, units])
    x, kernel = (rng.standard_normal(shape).astype(np.float32) for shape in [(rows, inputs), (inputs, units)])
    return x, kernel, rng.standard_normal(units).astype(np.float32)


def assert_equals_reference(x: Any, kernel: Any, bias: Any, activation: Any = "linear") -> None:
    expected = bits(reference.dense(x, kernel, bias, activation))
    for input_in_place in (False, True):
        got = run_dense(x, kernel, bias, activation, block=BLOCK, input_in_place=input_in_place)
        np.testing.assert_array_equal(bits(got), expected)


def digest() -> str:
    """A digest of what layers of few units give."""
    sha = hashlib.sha256()
    for rows, inputs, units, activation in [(35, 40, 1, "sigmoid"), (64, 300, 2, "relu"), (49, 33, 5, "tanh")]:
        x, kernel, bias = (np.round(4 * array) / np.float32(8) for array in draw(rows, inputs, units))
        sha.update(run_dense(x, kernel, bias, activation, block=BLOCK).tobytes())
    return sha.hexdigest()


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "softmax"])
@pytest.mark.parametrize("inputs", [1, 15, 16, 17, KB - 1, KB, KB + 1, KB + LANES + 1, 600])
@pytest.mark.parametrize("units", range(1, NARROW_UNITS + 2))
def test_every_number_of_units_and_inputs_around_a_square_and_a_block(units: Any, inputs: Any, activation: Any) -> None:
    x, kernel, bias = draw(2 * LANES + 3, inputs, units)
    assert_equals_reference(x, kernel, bias, activation)


@pytest.mark.parametrize("rows", [1, LANES - 1, LANES, LANES + 1, 2 * LANES - 1, 2 * LANES, 2 * LANES + 1, BLOCK + 5])
@pytest.mark.parametrize("units", [1, 3, NARROW_UNITS])
def test_every_number_of_rows_around_a_vector(rows: Any, units: Any) -> None:
    x, kernel, bias = draw(rows, 70, units)
    assert_equals_reference(x, kernel, bias, "sigmoid")


def test_special_values_pass_through_the_sum() -> None:
    rng = np.random.default_rng(0)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-39, 3e38, -3e38, 1, -1], np.float32)
    special = np.concatenate([special, np.array([0xFFC12345, 0x7F800001], np.uint32).view(np.float32)])
    for inputs in (LANES, 2 * LANES + 3):
        # Most rows are zeros and denormals but for one number: else all sums would be NaN.
        x = rng.choice(special[[0, 1, 5, 6, 7]], (3 * LANES, inputs))
        x[np.arange(len(x)), rng.integers(0, inputs, len(x))] = rng.choice(special, len(x))
        kernel, bias = rng.choice(special[[0, 1, 5, 8, 10, 11]], (inputs, 3)), np.array([-0.0, 0, 1e-45], np.float32)
        for activation in ("linear", "relu", "tanh"):
            assert_equals_reference(x, kernel, bias, activation)


def test_a_row_has_the_same_bits_alone_and_anywhere_in_any_batch() -> None:
    x, kernel, bias = draw(2 * LANES + 3, 300, 3)
    alone = np.concatenate([run_dense(row[None], kernel, bias, "tanh") for row in x])
    for rows in range(1, len(x) + 1):
        got = run_dense(x[-rows:], kernel, bias, "tanh", block=BLOCK)
        np.testing.assert_array_equal(bits(got), bits(alone[-rows:]))


def test_a_single_panel_of_bfloat16_gives_the_same_bits() -> None:
    x, kernel, bias = draw(2 * LANES + 3, 70, 3)
    kernel = (bits(kernel) & np.uint32(0xFFFF0000)).view(np.float32)
    got = run_dense(x, kernel, bias, bf16=True, block=BLOCK)
    np.testing.assert_array_equal(bits(got), bits(reference.dense(x, kernel, bias)))


@pytest.mark.parametrize("inputs", [LANES, LANES + 1, KB + 1, KB + LANES - 1])
@pytest.mark.parametrize("from_page_end", [0, 1, 4])
def test_nothing_outside_the_rows_is_read(inputs: Any, from_page_end: Any) -> None:
    """The input lies between pages that cannot be read, at its end or up to some bytes from there."""
    rows = LANES + 1
    size, page = 4 * rows * inputs, mmap.PAGESIZE
    inner = -(-(size + from_page_end) // page) * page
    memory = mmap.mmap(-1, inner + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for guard in (start, start + page + inner):
        assert protect(guard, page, 0) == 0
    drawn, kernel, bias = draw(rows, inputs, 2)
    for at in (page + inner - size - from_page_end, page + from_page_end):
        x = np.frombuffer(memory, np.float32, rows * inputs, at).reshape(rows, inputs)
        x[:] = drawn
        got = run_dense(x, kernel, bias, block=BLOCK, input_in_place=True)
        np.testing.assert_array_equal(bits(got), bits(reference.dense(drawn, kernel, bias)))


def test_there_is_a_kernel_wherever_rows_are_in_lanes() -> None:
    names = {kernel.name for kernel in all_kernels()}
    for units in range(1, 17):
        if rows_in_lanes(1000, 1000, units):
            assert f"f32_narrow_ukernel_{LANES}x{computed_units(units)}" in names


@pytest.mark.parametrize(
    ("rows", "inputs", "units", "chosen"),
    [
        (LANES, 512, 1, True),
        (LANES - 1, 512, 1, False),  # no whole vector of rows
        (10 * LANES, 512, NARROW_UNITS, True),
        (10 * LANES, 512, NARROW_UNITS + 1, False),  # a tile is as fast
        (LANES + 1, 512, NARROW_UNITS, False),  # nearly all rows would be computed twice
        (10 * LANES, LANES - 1, 1, False),  # no whole square of inputs
        (10 * LANES, 2 * LANES, NARROW_UNITS, True),
        (10 * LANES, LANES, 5, False),  # little to do but the outputs
    ],
)
def test_where_rows_are_in_lanes(rows: Any, inputs: Any, units: Any, chosen: Any) -> None:
    assert rows_in_lanes(rows, inputs, units) is chosen


@pytest.mark.parametrize("name", FORCED)
def test_another_instruction_set_gives_the_same_bits(name: Any) -> None:
    if not effective_features().issuperset(next(s for s in INSTRUCTION_SETS if s.name == name).requires):
        pytest.skip(f"this processor cannot run {name} code")
    tests = os.path.dirname(os.path.dirname(__file__))
    variables = {**os.environ, **FORCED[name], "PYTHONPATH": tests}
    ran = subprocess.run([sys.executable, "-c", DIGEST], env=variables, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [name, digest()]


def test_the_digest_is_the_committed_one() -> None:
    """As in test_environment.py: the bits of `f32-1` are a promise."""
    assert digest() == "23e6b2e5a256751b7036add6c53ab63268655d063d13570305717a0fd9e77494"

"""What the world around the kernels may not change: instruction set, and the thread's floating-point mode."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest

from numbatch.kernels import reference
from numbatch.kernels.memory import float_environment, set_float_environment
from numbatch.kernels.target import INSTRUCTION_SETS, TARGET, effective_features, select
from support.layers import bits, run_activation, run_dense

# Runs in a process of its own, with the instruction set that the environment asks for.
DIGEST = """
import hashlib, sys
import numpy as np
from support.layers import ROW_KINDS, run_activation, run_dense
from numbatch.kernels.activations import Activation
from numbatch.kernels.target import TARGET
rng = np.random.default_rng(7)
digest = hashlib.sha256()
for rows, inputs, units, activation in [
    (1, 300, 40, "relu"), (5, 70, 70, "sigmoid"), (13, 257, 33, "tanh"), (40, 64, 100, "softmax"),
    (3, 1000, 7, "linear"),
]:
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in [(rows, inputs), (inputs, units), units])
    digest.update(run_dense(x, w, b, activation).tobytes())
every_magnitude = np.arange(0, 2**32, 2**19 + 1, dtype=np.uint64).astype(np.uint32).view(np.float32)[None]
x = np.concatenate([every_magnitude, rng.normal(0, 5, (1, 8000)).astype(np.float32)], axis=1)
for activation in [*(code.name.lower() for code in Activation), *ROW_KINDS]:
    digest.update(run_activation(x, activation, 0.3).tobytes())
    digest.update(run_activation(x[0, -1003:].reshape(17, 59), activation, 0.3).tobytes())
print(TARGET.name, digest.hexdigest())
"""

FORCED = {
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+fma,+sse4.2,+popcnt"},
    "portable": {"NUMBA_CPU_NAME": "generic"},
}


def digest_under(environment: Any) -> Any:
    tests = os.path.dirname(os.path.dirname(__file__))
    variables = {**os.environ, **environment, "PYTHONPATH": tests}
    ran = subprocess.run([sys.executable, "-c", DIGEST], env=variables, capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.mark.parametrize("name", FORCED)
def test_another_instruction_set_gives_the_same_bits(name: Any) -> None:
    if not effective_features().issuperset(next(s for s in INSTRUCTION_SETS if s.name == name).requires):
        pytest.skip(f"this processor cannot run {name} code")
    native, native_digest = digest_under({})
    forced, forced_digest = digest_under(FORCED[name])
    assert (native, forced) == (TARGET.name, name)
    assert forced_digest == native_digest


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ({"avx512f", "avx512dq", "avx512vl", "fma", "avx2"}, "avx512"),
        ({"avx512f", "fma", "avx2"}, "avx2"),  # Xeon Phi: without the 256-bit forms
        ({"avx2", "fma"}, "avx2"),
        ({"avx2"}, "portable"),
        ({"neon"}, "neon"),
        (set(), "portable"),
    ],
)
def test_the_first_instruction_set_whose_features_are_all_there_is_chosen(features: Any, name: Any) -> None:
    assert select(frozenset(features)).name == name


def _exchange(value: Any) -> Any:
    before = float_environment()
    set_float_environment(value)
    return before


exchange: Any = numba.njit(_exchange)


@pytest.mark.skipif(TARGET.name == "portable", reason="the control register is that of x86 processors with SSE")
def test_a_thread_that_flushes_denormals_gets_the_same_bits_and_its_mode_back() -> None:
    x = np.full((3, 5), 1e-40, np.float32)
    kernel, bias = np.full((5, 3), 0.3, np.float32), np.full(3, 1e-44, np.float32)
    expected = reference.dense(x, kernel, bias)
    assert 0 < np.max(expected) < np.finfo(np.float32).tiny
    flush_to_zero_and_denormals_are_zero = np.uint32(0x9FC0)
    before = exchange(flush_to_zero_and_denormals_are_zero)
    try:
        got = run_dense(x, kernel, bias)
    finally:
        after = exchange(before)
    np.testing.assert_array_equal(bits(got), bits(expected))
    sticky_flags = 0x3F
    assert after & ~sticky_flags == flush_to_zero_and_denormals_are_zero


def test_the_digest_of_the_contract_is_the_committed_one() -> None:
    """Bits of `f32-1` are a promise. If this fails, the contract has changed and needs a new name."""
    rng = np.random.default_rng(2024)
    digest = hashlib.sha256()
    for activation in ("linear", "relu", "sigmoid", "tanh", "softmax"):
        x, kernel, bias = (
            rng.integers(-9, 10, shape).astype(np.float32) / np.float32(8) for shape in [(7, 300), (300, 33), (33,)]
        )
        digest.update(run_dense(x, kernel, bias, activation).tobytes())
    assert digest.hexdigest() == "6150b77e360f6101cb0600b57c41b5a27640a9ae67690dfaeff0a7090014d216"


def test_the_digest_of_the_later_activations_is_the_committed_one() -> None:
    """As above, over two thousand numbers between -16 and 16 and some far from there."""
    x = np.arange(-1024, 1024, dtype=np.float32).reshape(32, 64) / np.float32(64)
    digest = hashlib.sha256()
    for activation in (
        *("relu6", "leaky_relu", "elu", "selu", "gelu_erf", "gelu_tanh", "silu", "softplus", "softsign"),
        *("hard_sigmoid", "hard_silu", "mish", "exponential", "log_sigmoid", "log_softmax"),
    ):
        for scale in (1, 3, 2.0**-70, 2.0**-149, 2.0**60):
            digest.update(run_activation(x * np.float32(scale), activation, 0.3).tobytes())
    assert digest.hexdigest() == "d423c62748914c781348ca801def4db8c51d635f8e2f15f36385cc5a3684682c"

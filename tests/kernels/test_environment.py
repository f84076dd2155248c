"""What the world around the kernels may not change: instruction set, and the thread's floating-point mode."""

import hashlib
from typing import Any

import numpy as np
import pytest

from numbatch.kernels import reference
from numbatch.kernels.target import TARGET, select
from support.float_mode import CONTROL, FLUSH_TO_ZERO, exchange
from support.instruction_sets import FORCED, can_run, printed_by
from support.layers import bits, run_activation, run_dense
from support.networks import digest_of_networks

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

DIGEST_OF_NETWORKS = """
from numbatch.kernels.target import TARGET
from support.networks import digest_of_networks
print(TARGET.name, *(digest_of_networks(precision, threads) for threads in (1, 2) for precision in ("f32", "bf16")))
"""

# Of every layer of whole networks, with weights of float32 and of bfloat16.
NETWORKS = {
    "f32": "8a2e81e4591d34b7da7b4d5ad3795df0ab8bd8ed17eeb437dd9e04d176fd0aa8",
    "bf16": "ffef7da458ea0bdf288251163ba19df878e893dc8fa7cacb727ed8913c38bd13",
}


@pytest.mark.parametrize("name", FORCED)
def test_another_instruction_set_gives_the_same_bits(name: Any) -> None:
    if not can_run(name):
        pytest.skip(f"this processor cannot run {name} code")
    native, native_digest = printed_by(DIGEST).split()
    forced, forced_digest = printed_by(DIGEST, **FORCED[name]).split()
    assert (native, forced) == (TARGET.name, name)
    assert forced_digest == native_digest


@pytest.mark.parametrize("precision", NETWORKS)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.usefixtures("number_of_threads_kept")
def test_networks_have_the_committed_bits(precision: Any, threads: Any) -> None:
    """Bits of `f32-1` are a promise. If this fails, the contract has changed and needs a new name."""
    assert digest_of_networks(precision, threads) == NETWORKS[precision]


@pytest.mark.parametrize("name", FORCED)
def test_networks_have_the_committed_bits_with_another_instruction_set(name: Any) -> None:
    if not can_run(name):
        pytest.skip(f"this processor cannot run {name} code")
    printed = printed_by(DIGEST_OF_NETWORKS, **FORCED[name])
    assert printed.split() == [name, *NETWORKS.values(), *NETWORKS.values()]


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


@pytest.mark.skipif(TARGET.name == "portable", reason="the control register is that of x86 processors with SSE")
def test_a_thread_that_flushes_denormals_gets_the_same_bits_and_its_mode_back() -> None:
    x = np.full((3, 5), 1e-40, np.float32)
    kernel, bias = np.full((5, 3), 0.3, np.float32), np.full(3, 1e-44, np.float32)
    expected = reference.dense(x, kernel, bias)
    assert 0 < np.max(expected) < np.finfo(np.float32).tiny
    before = exchange(FLUSH_TO_ZERO)
    try:
        got = run_dense(x, kernel, bias)
    finally:
        after = exchange(before)
    np.testing.assert_array_equal(bits(got), bits(expected))
    assert after & CONTROL == FLUSH_TO_ZERO


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

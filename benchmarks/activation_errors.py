"""The largest error of each activation of single elements, over all 2^32 float32.

    python -m benchmarks.activation_errors [NAME ...]

Every input is compared with a result in float64, whose own error is under 1e-6 units in the last place of a float32;
the worst inputs are then confirmed at 200 bits. It takes one core about a minute per activation. The figures belong
into the table of `numbatch.kernels.activations`, the worst inputs into tests/support/worst_inputs.py.
"""

import math
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np

from numbatch.kernels.activations import Activation, activate
from numbatch.kernels.target import TARGET

# The formulas at 200 bits are those of the tests.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.exact import ALPHAS, SELU_ALPHA, SELU_SCALE, exact, ulps

CHUNK = 2**22
WORST = 6

_SCALE, _ALPHA = float(SELU_SCALE), float(SELU_ALPHA)
_SQRT_HALF, _W = math.sqrt(0.5), 2 * math.sqrt(2 / math.pi)
_OVERFLOW = 2.0**128 - 2.0**103


@numba.njit(error_model="numpy")
def _tail(x: float) -> float:
    """Return exp(-|x|)."""
    return math.exp(-abs(x))


@numba.njit(error_model="numpy")
def _sigmoid(x: float) -> float:
    return (_tail(x) if x < 0 else 1.0) / (1 + _tail(x))


@numba.njit(error_model="numpy")
def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(_tail(x))


@numba.njit(error_model="numpy")
def _hard_sigmoid(x: float) -> float:
    return min(max(x + 3, 0.0), 6.0) / 6


@numba.njit(error_model="numpy")
def _mish(x: float) -> float:
    e = _tail(x)
    return x * (e * (e + 2) / (e * (e + 2) + 2) if x < 0 else (1 + 2 * e) / (1 + 2 * e + 2 * e * e))


@numba.njit(error_model="numpy")
def _gelu_tanh(x: float) -> float:
    return x * _sigmoid(_W * (x + 0.044715 * x * x * x))


_IN_FLOAT64: dict[str, Any] = {
    "linear": lambda x, alpha: x,
    "relu": lambda x, alpha: max(x, 0.0),
    "relu6": lambda x, alpha: min(max(x, 0.0), 6.0),
    "leaky_relu": lambda x, alpha: x if x > 0 else alpha * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * math.expm1(x),
    "selu": lambda x, alpha: _SCALE * (x if x > 0 else _ALPHA * math.expm1(x)),
    "sigmoid": lambda x, alpha: _sigmoid(x),
    "tanh": lambda x, alpha: math.tanh(x),
    "gelu_erf": lambda x, alpha: x * (math.erfc(-x * _SQRT_HALF) / 2),
    "gelu_tanh": lambda x, alpha: _gelu_tanh(x),
    "silu": lambda x, alpha: x * _sigmoid(x),
    "softplus": lambda x, alpha: _softplus(x),
    "softsign": lambda x, alpha: x / (1 + abs(x)),
    "hard_sigmoid": lambda x, alpha: _hard_sigmoid(x),
    "hard_silu": lambda x, alpha: x * _hard_sigmoid(x),
    "mish": lambda x, alpha: _mish(x),
    "exponential": lambda x, alpha: math.exp(x),
    "log_sigmoid": lambda x, alpha: -_softplus(-x),
}


@numba.njit(error_model="numpy")
def _run(code: int, x: Any, y: Any, alpha: np.float32) -> None:
    activate(code, x, 0, y, 0, len(x) // TARGET.lanes, alpha)


@numba.njit(error_model="numpy")
def _errors(function: Any, x: Any, y: Any, alpha: float, errors: Any) -> None:
    for i in range(len(x)):
        expected = function(np.float64(x[i]), alpha)  # Numba's float() would stay a float32
        if abs(expected) >= _OVERFLOW:
            errors[i] = 0 if y[i] == math.copysign(math.inf, expected) else math.inf
        else:
            exponent = max(math.frexp(expected)[1] - 1, -126)
            errors[i] = abs(y[i] - expected) * math.ldexp(1.0, 23 - exponent)


def sweep(name: str) -> tuple[float, list[Any]]:
    """Return the largest error of an activation, at 200 bits, and some of the worst inputs, as bits."""
    code, alpha, function = int(Activation[name.upper()]), ALPHAS.get(name, 0.0), numba.njit(_IN_FLOAT64[name])
    y, errors = np.empty(CHUNK, np.float32), np.empty(CHUNK)
    worst: list[tuple[float, int]] = []
    for start in range(0, 2**32, CHUNK):
        patterns = np.arange(start, start + CHUNK, dtype=np.uint64).astype(np.uint32)
        x = patterns.view(np.float32)
        _run(code, x, y, np.float32(alpha))
        _errors(function, x, y, alpha, errors)
        errors[~np.isfinite(x)] = -1
        if not np.isfinite(errors).all():
            raise ArithmeticError(f"{name}({x[~np.isfinite(errors)][0]!r}) is {y[~np.isfinite(errors)][0]!r}")
        most = np.argpartition(errors, -WORST)[-WORST:]
        worst = sorted([*worst, *((float(errors[i]), int(patterns[i])) for i in most)])[-WORST:]
    inputs = np.array([bits for _, bits in worst], np.uint32)
    x, y = np.resize(inputs.view(np.float32), TARGET.lanes), np.empty(TARGET.lanes, np.float32)
    _run(code, x, y, np.float32(alpha))
    confirmed = [ulps(float(got), exact(name, float(value), alpha)) for value, got in zip(x, y, strict=True)][:WORST]
    return max(confirmed), [hex(bits) for bits in inputs[::-1]]


def main() -> None:
    """Sweep the activations that the command line names, or all."""
    for name in sys.argv[1:] or _IN_FLOAT64:
        start = time.perf_counter()
        error, inputs = sweep(name)
        minutes = (time.perf_counter() - start) / 60
        print(f'{name:<12} {error:.4f} ulp  ({minutes:.1f} min)  "{name}": ({", ".join(inputs)}),', flush=True)


if __name__ == "__main__":
    main()

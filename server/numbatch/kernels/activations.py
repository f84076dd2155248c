"""The activations of single elements: which there are, what they give, and their place in compiled code.

The formulas are in piecewise.py, smooth.py and gelu.py, over the building blocks of elementary.py. The same sequence of
rounded operations serves every element, so an element's bits do not depend on its place in a vector. NaN gives the
canonical NaN.

Below: what other special inputs give, and the largest error over all float32, in units in the last place of the exact
result, at the default alpha. The errors were found by comparing every input (`python -m benchmarks.activation_errors`);
tests read this table.

============  =====  ==========  ==========  ==========  ==========  ======
activation    +inf   -inf        +0          -0          2^-149      error
============  =====  ==========  ==========  ==========  ==========  ======
linear        inf    -inf        0           -0          1e-45       0
relu          inf    0           0           0           1e-45       0
relu6         6      0           0           0           1e-45       0
leaky_relu    inf    -inf        0           -0          1e-45       0.50
elu           inf    -1          0           -0          1e-45       0.88
selu          inf    -1.7580993  0           -0          1e-45       1.75
sigmoid       1      0           0.5         0.5         0.5         2.41
tanh          1      -1          0           -0          1e-45       2.50
gelu_erf      inf    -0          0           -0          1e-45       3.23
gelu_tanh     inf    -0          0           -0          0           2.69
silu          inf    -0          0           -0          0           2.78
softplus      inf    0           0.6931472   0.6931472   0.6931472   1.68
softsign      1      -1          0           -0          1e-45       1.50
hard_sigmoid  1      0           0.5         0.5         0.5         1.00
hard_silu     inf    -0          0           -0          0           1.88
mish          inf    -0          0           -0          1e-45       3.32
exponential   inf    0           1           1           1           1.06
log_sigmoid   -0     -inf        -0.6931472  -0.6931472  -0.6931472  1.68
============  =====  ==========  ==========  ==========  ==========  ======

Any alpha is a factor of one more product: leaky_relu(-inf) with alpha 0 is NaN, elu(-inf) is -alpha.
"""

import functools
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import elementary, gelu, piecewise, simd, smooth
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.target import TARGET


class Activation(IntEnum):
    """The activations of single elements. Those of whole rows are in softmax.py."""

    LINEAR = 0
    RELU = 1
    SIGMOID = 2
    TANH = 3
    RELU6 = 4
    LEAKY_RELU = 5
    ELU = 6
    SELU = 7
    GELU_ERF = 8
    GELU_TANH = 9
    SILU = 10
    SOFTPLUS = 11
    SOFTSIGN = 12
    HARD_SIGMOID = 13
    HARD_SILU = 14
    MISH = 15
    EXPONENTIAL = 16
    LOG_SIGMOID = 17


# The sum of `f32-1` is clamped at this from below before it is stored, which is all of a ReLU.
FLOORS = {Activation.LINEAR: float("-inf"), Activation.RELU: 0.0}

_EMITTERS: dict[Activation, Callable[[Any, Any], Any]] = {
    Activation.LINEAR: piecewise.emit_linear,
    Activation.RELU: piecewise.emit_relu,
    Activation.SIGMOID: smooth.emit_sigmoid,
    Activation.TANH: smooth.emit_tanh,
    Activation.RELU6: piecewise.emit_relu6,
    Activation.SELU: smooth.emit_selu,
    Activation.GELU_ERF: gelu.emit_gelu_erf,
    Activation.GELU_TANH: gelu.emit_gelu_tanh,
    Activation.SILU: smooth.emit_silu,
    Activation.SOFTPLUS: smooth.emit_softplus,
    Activation.SOFTSIGN: piecewise.emit_softsign,
    Activation.HARD_SIGMOID: piecewise.emit_hard_sigmoid,
    Activation.HARD_SILU: piecewise.emit_hard_silu,
    Activation.MISH: smooth.emit_mish,
    Activation.EXPONENTIAL: elementary.emit_exp,
    Activation.LOG_SIGMOID: smooth.emit_log_sigmoid,
}
_EMITTERS_WITH_ALPHA: dict[Activation, Callable[[Any, Any, Any], Any]] = {
    Activation.LEAKY_RELU: piecewise.emit_leaky_relu,
    Activation.ELU: smooth.emit_elu,
}


_POINTER = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER, simd.INTP, _POINTER, simd.INTP, simd.INTP, simd.INTP, simd.F32])
_FIRST_SLOT = 512


def kernels() -> list[simd.Kernel]:
    """Return the activations as kernels."""
    return [
        simd.Kernel(_FIRST_SLOT + code, f"f32_v{code.name.lower()}", _SIGNATURE, functools.partial(_emit, code))
        for code in Activation
    ]


def call(builder: Any, table: Any, activation: Any, args: Sequence[Any]) -> None:
    """Emit the call of an activation's kernel; `args` as in `activate`, from `source` on."""
    simd.call_slot(builder, table, builder.add(activation, simd.INTP(_FIRST_SLOT)), _SIGNATURE, args)


@intrinsic
def activate(
    typingctx: Any,
    table: Any,
    activation: Any,
    source: Any,
    source_stride: Any,
    target: Any,
    target_stride: Any,
    rows: Any,
    vectors: Any,
    alpha: Any,
) -> Any:
    """Apply an activation to `rows` rows of `vectors` vectors of TARGET.lanes elements; source and target may be one.

    `table` holds the kernels' addresses (library.py).
    """
    arguments = [TABLE, types.intp, FLOATS, types.intp, FLOATS, types.intp, types.intp, types.intp, types.float32]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        call(builder, args[0], args[1], args[2:])
        return context.get_dummy_value()

    return types.void(*arguments), codegen


def _emit(
    activation: Activation,
    builder: Any,
    source: Any,
    source_stride: Any,
    target: Any,
    target_stride: Any,
    rows: Any,
    vectors: Any,
    alpha: Any,
) -> None:
    lanes, intp = TARGET.lanes, simd.INTP
    parameter = simd.splat(builder, alpha, lanes)
    with simd.loop(builder, intp(0), rows, 1, []) as row:
        from_row = simd.element_pointer(builder, source, builder.mul(row.index, source_stride))
        to_row = simd.element_pointer(builder, target, builder.mul(row.index, target_stride))
        with simd.loop(builder, intp(0), builder.mul(vectors, intp(lanes)), lanes, []) as turn:
            x = simd.load(builder, simd.element_pointer(builder, from_row, turn.index), simd.vector_type(lanes))
            if activation in _EMITTERS_WITH_ALPHA:
                y = _EMITTERS_WITH_ALPHA[activation](builder, x, parameter)
            else:
                y = _EMITTERS[activation](builder, x)
            simd.store(builder, simd.canonical(builder, y), simd.element_pointer(builder, to_row, turn.index))
    builder.ret_void()


def to_bits(alpha: float) -> int:
    """Return the bits of a float32, to carry it in a table of integers."""
    return int(np.float32(alpha).view(np.int32))

"""Activations as vector instructions, each a fixed sequence of fused multiply-adds, additions and divisions.

There is no libm here and no approximate reciprocal: those differ between machines, a rounded operation does not. The
same sequence serves every element, so an element's bits do not depend on its place in a vector.

exp(x), by the reduction of Cody and Waite (1980), x = b ln 2 + r with b whole and |r| <= ln 2 / 2::

    b = round(x log2(e))                      r = fma(b, -ln2_lo, fma(b, -ln2_hi, x))
    e = r + r^2 (1/2! + r/3! + ... + r^5/7!)  by Horner: the next term is under 0.05 ulp
    exp(x) = 2^b + 2^b e                      in two halves of the power, so that neither overflows nor underflows early

sigmoid(x) = 1 / (1 + exp(-|x|)), or exp(-|x|) / (1 + exp(-|x|)) for x < 0: nothing overflows, nothing cancels.
tanh(x) = -m / (m + 2) with m = expm1(-2 |x|), and the sign of x.

NaN gives the canonical NaN. Largest errors over all float32, found by comparing every one with a 64-bit result: see the
tests.
"""

import functools
from collections.abc import Callable
from enum import IntEnum
from math import factorial
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.target import TARGET


class Activation(IntEnum):
    """The activations of single elements. Softmax works on rows and is in softmax.py."""

    LINEAR = 0
    RELU = 1
    SIGMOID = 2
    TANH = 3


# The sum of `f32-1` is clamped at this from below before it is stored, which is all of a ReLU.
FLOORS = {Activation.LINEAR: float("-inf"), Activation.RELU: 0.0}

LOG2_E = 1.44269502162933349609375
LN2_HI = 0.693147182464599609375
LN2_LO = -1.904654299957767e-09

# Adding 1.5 2^23 to a float32 of less than 2^22 rounds it to a whole number, held in the low bits.
ROUND = 12582912.0
ROUND_BITS = 0x4B400000

# Beyond these exp is 0 (under half the least denormal) and infinite; between them b fits the halves of the power.
EXP_LEAST = -104.0
EXP_MOST = 89.0

# Beyond this tanh is 1.
TANH_MOST = 40.0

# 1/7! ... 1/2!
EXP_TERMS = tuple(1.0 / factorial(n) for n in range(7, 1, -1))


def emit_exp(builder: Any, x: Any) -> Any:
    """Emit exp(x) for any x."""
    lanes = simd.lanes_of(x)
    x = simd.ceil_at(
        builder, simd.floor_at(builder, x, simd.constant(EXP_LEAST, lanes)), simd.constant(EXP_MOST, lanes)
    )
    fraction, power = _reduce(builder, x)
    half = builder.ashr(power, simd.int_constant(1, lanes))
    first, second = _power_of_two(builder, half), _power_of_two(builder, builder.sub(power, half))
    return builder.fmul(simd.fma(builder, first, fraction, first), second)


def emit_sigmoid(builder: Any, x: Any) -> Any:
    """Emit 1 / (1 + exp(-x))."""
    lanes = simd.lanes_of(x)
    one = simd.constant(1.0, lanes)
    e = emit_exp(builder, builder.fneg(simd.fabs(builder, x)))
    numerator = builder.select(builder.fcmp_ordered("<", x, simd.constant(0.0, lanes)), e, one)
    return builder.fdiv(numerator, builder.fadd(one, e))


def emit_tanh(builder: Any, x: Any) -> Any:
    """Emit tanh(x)."""
    lanes = simd.lanes_of(x)
    twice = builder.fmul(simd.fabs(builder, x), simd.constant(-2.0, lanes))
    fraction, power = _reduce(builder, simd.floor_at(builder, twice, simd.constant(-TANH_MOST, lanes)))
    scale = _power_of_two(builder, power)
    m = simd.fma(builder, scale, fraction, builder.fsub(scale, simd.constant(1.0, lanes)))
    ratio = builder.fdiv(m, builder.fadd(m, simd.constant(2.0, lanes)))
    return simd.copysign(builder, ratio, x)


def emit_relu(builder: Any, x: Any) -> Any:
    """Emit x where x > 0, else +0."""
    return simd.floor_at(builder, x, simd.constant(0.0, simd.lanes_of(x)))


def emit_linear(builder: Any, x: Any) -> Any:
    """Emit x."""
    return x


_EMITTERS: dict[Activation, Callable[[Any, Any], Any]] = {
    Activation.LINEAR: emit_linear,
    Activation.RELU: emit_relu,
    Activation.SIGMOID: emit_sigmoid,
    Activation.TANH: emit_tanh,
}


_POINTER = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER, simd.INTP, _POINTER, simd.INTP, simd.INTP, simd.INTP, simd.F32])
_FIRST_SLOT = 512


def kernels() -> list[simd.Kernel]:
    """Return the activations as kernels."""
    return [
        simd.Kernel(_FIRST_SLOT + code, f"f32_v{code.name.lower()}", _SIGNATURE, functools.partial(_emit, emit))
        for code, emit in _EMITTERS.items()
    ]


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
        slot = builder.add(args[1], simd.INTP(_FIRST_SLOT))
        simd.call_slot(builder, args[0], slot, _SIGNATURE, args[2:])
        return context.get_dummy_value()

    return types.void(*arguments), codegen


def _emit(
    emit: Callable[[Any, Any], Any],
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
    with simd.loop(builder, intp(0), rows, 1, []) as row:
        from_row = simd.element_pointer(builder, source, builder.mul(row.index, source_stride))
        to_row = simd.element_pointer(builder, target, builder.mul(row.index, target_stride))
        with simd.loop(builder, intp(0), builder.mul(vectors, intp(lanes)), lanes, []) as turn:
            x = simd.load(builder, simd.element_pointer(builder, from_row, turn.index), simd.vector_type(lanes))
            y = simd.canonical(builder, emit(builder, x))
            simd.store(builder, y, simd.element_pointer(builder, to_row, turn.index))
    builder.ret_void()


def _reduce(builder: Any, x: Any) -> tuple[Any, Any]:
    """Return expm1 of what x leaves beyond a whole multiple b of ln 2, and b as an integer."""
    lanes = simd.lanes_of(x)
    rounder = simd.constant(ROUND, lanes)
    shifted = builder.fadd(builder.fmul(x, simd.constant(LOG2_E, lanes)), rounder)
    power = builder.sub(simd.bits(builder, shifted), simd.int_constant(ROUND_BITS, lanes))
    whole = builder.fsub(shifted, rounder)
    r = simd.fma(builder, whole, simd.constant(-LN2_HI, lanes), x)
    r = simd.fma(builder, whole, simd.constant(-LN2_LO, lanes), r)
    terms = simd.constant(EXP_TERMS[0], lanes)
    for term in EXP_TERMS[1:]:
        terms = simd.fma(builder, terms, r, simd.constant(term, lanes))
    return simd.fma(builder, builder.fmul(r, r), terms, r), power


def _power_of_two(builder: Any, exponent: Any) -> Any:
    """Return 2^exponent for -126 <= exponent <= 127, by writing the exponent's bits."""
    lanes = simd.lanes_of(exponent)
    biased = builder.add(exponent, simd.int_constant(127, lanes))
    return simd.from_bits(builder, builder.shl(biased, simd.int_constant(23, lanes)))

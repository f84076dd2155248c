"""Layers of few units: rows in the lanes of a vector, where the tiles of microkernel.py have units.

A tile computes whole panels of NR units: with one unit, 15 of its 16 lanes are of no use. Here a vector holds one input
of `lanes` rows, and each unit has a vector of sums.

Equation, for each row i < lanes and each unit n < units ::

    z[i, n] = bias[n]
    for each block of KB inputs:  S = +0;  for k ascending:  S = fma(x[i, k], w[k, n], S);  then z[i, n] = z[i, n] + S
    z[i, n] = max(z[i, n], floor), any NaN made canonical              (-inf but for a ReLU)
    z[i, n] = activation(z[i, n])                                      (those that are more than a floor)

That is the whole of the numeric contract `f32-1`, and each output has the chain that tiles give it: the same bits.

Operands
    table  the kernels' addresses (library.py): an activation is called through it, on the vectors of rows.
    x      rows of inputs, `x_stride` apart, at any address; `lanes` inputs or more. Nothing beyond the last is read.
    w      one packed panel (packing.py) of float32: a line of NR elements for each input.
    bias   NR elements.
    z      rows of outputs, `z_stride` apart. Whole vectors are written, also beyond the last unit, within the panel.

Strides are in float32 elements.

Vectors of one input come from vectors of one row by `transpose`, a square of `lanes` inputs at a time: 64 shuffles for
16x16, about as long as the multiply-adds of 4 units. Where a row is no whole number of squares, its last one begins
earlier, among inputs that were there before, and its columns are entered where the new ones begin: no load is masked,
no input is added twice, and there is no second loop.

Registers (AVX-512, 8 units): 8 sums and 16 columns of 32. A weight is an operand in memory, spread by the multiply-add.
One chain of sums is as slow as three of them (4 cycles for an addition); still two vectors of rows at once were no
faster: 32 rows of 1 to 8 KiB have too many lines in one set of the L1 cache (256x512, 1 unit: 12.1 us instead of 9.8).

There is a kernel for 1, 2, 4, 6 and 8 units: one for each number would take twice the time to compile (0.6 s), for a
tenth in speed.
"""

import functools
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import activations, simd
from numbatch.kernels.blocking import NARROW_UNITS
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.microkernel import KB
from numbatch.kernels.packing import stream_stride
from numbatch.kernels.target import NR, TARGET
from numbatch.kernels.transpose import transpose

_POINTER, _TABLE = simd.F32.as_pointer(), simd.INTP.as_pointer()
_SIGNATURE = ir.FunctionType(
    ir.VoidType(),
    [_TABLE, _POINTER, simd.INTP, simd.INTP] + [_POINTER, _POINTER, _POINTER, simd.INTP, simd.F32, simd.INTP, simd.F32],
)
_FIRST_SLOT = 640


def computed_units(units: int) -> int:
    """Return the units of the kernel that computes so many: the panel's padding makes an odd number even."""
    return units + (units > 1 and units % 2)


def kernels() -> list[simd.Kernel]:
    """Return the kernels for up to NARROW_UNITS units."""
    lanes = TARGET.lanes
    return [
        simd.Kernel(_FIRST_SLOT + n, f"f32_narrow_ukernel_{lanes}x{n}", _SIGNATURE, functools.partial(_emit, n))
        for n in sorted({computed_units(units) for units in range(1, NARROW_UNITS + 1)})
    ]


@intrinsic
def narrow_tile(
    typingctx: Any,
    table: Any,
    units: Any,
    x: Any,
    x_stride: Any,
    inputs: Any,
    w: Any,
    bias: Any,
    z: Any,
    z_stride: Any,
    floor: Any,
    activation: Any,
    alpha: Any,
) -> Any:
    """Compute `lanes` rows with the kernel for `units`, which must exist (`computed_units`).

    `table` holds the kernels' addresses (library.py).
    """
    arguments = [TABLE, types.intp, FLOATS, types.intp, types.intp, FLOATS, FLOATS, FLOATS, types.intp]
    arguments += [types.float32, types.intp, types.float32]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        slot = builder.add(args[1], simd.INTP(_FIRST_SLOT))
        simd.call_slot(builder, args[0], slot, _SIGNATURE, [args[0], *args[2:]])
        return context.get_dummy_value()

    return types.void(*arguments), codegen


def _emit(
    units: int,
    builder: Any,
    table: Any,
    x: Any,
    x_stride: Any,
    inputs: Any,
    w: Any,
    bias: Any,
    z: Any,
    z_stride: Any,
    floor: Any,
    activation: Any,
    alpha: Any,
) -> None:
    lanes, intp = TARGET.lanes, simd.INTP
    results = simd.scratch(builder, units, lanes)
    x_rows = [simd.element_pointer(builder, x, builder.mul(x_stride, intp(i))) for i in range(lanes)]
    z_rows = [simd.element_pointer(builder, z, builder.mul(z_stride, intp(i))) for i in range(lanes)]

    def load(n: int) -> Any:
        """Return a unit's outputs so far."""
        at = simd.element_pointer(builder, results, intp(n * lanes))
        return simd.load(builder, at, simd.vector_type(lanes), 4 * lanes)

    def store(value: Any, n: int) -> None:
        simd.store(builder, value, simd.element_pointer(builder, results, intp(n * lanes)), 4 * lanes)

    def spread(line: Any, n: int) -> Any:
        """Return an element of a line in all lanes."""
        return simd.splat(builder, simd.load(builder, simd.element_pointer(builder, line, intp(n)), simd.F32), lanes)

    def add_products(column: Any, line: Any, k: int, sums: Any) -> list[Any]:
        """Add the products of input k after a line."""
        return [simd.fma(builder, column, spread(line, k * NR + n), sum_) for n, sum_ in enumerate(sums)]

    for n in range(units):
        store(spread(bias, n), n)
    blocks = builder.sdiv(builder.add(inputs, intp(KB - 1)), intp(KB))
    with simd.loop(builder, intp(0), blocks, 1, []) as block:
        start = builder.mul(block.index, intp(KB))
        left = builder.sub(inputs, start)
        count = builder.select(builder.icmp_signed("<", left, intp(KB)), left, intp(KB))
        lines = simd.element_pointer(builder, w, builder.mul(block.index, intp(stream_stride(KB))))
        chunks = builder.sdiv(builder.add(count, intp(lanes - 1)), intp(lanes))
        with simd.loop(builder, intp(0), chunks, 1, [simd.constant(0.0, lanes)] * units) as chunk:
            wanted = builder.add(start, builder.mul(chunk.index, intp(lanes)))
            last = builder.sub(inputs, intp(lanes))
            at = builder.select(builder.icmp_signed("<", wanted, last), wanted, last)
            rows = [simd.element_pointer(builder, row, at) for row in x_rows]
            rows = [simd.load(builder, row, simd.vector_type(lanes), 1) for row in rows]
            turned = transpose(builder, rows)
            line = simd.element_pointer(builder, lines, builder.mul(builder.sub(at, start), intp(NR)))
            chunk.carried = simd.run_from(
                builder,
                builder.sub(wanted, at),
                [functools.partial(add_products, column, line, k) for k, column in enumerate(turned)],
                chunk.carried,
            )
        for n, sum_ in enumerate(chunk.carried):
            store(builder.fadd(load(n), sum_), n)

    bounds = simd.splat(builder, floor, lanes)
    for n in range(units):
        store(simd.canonical(builder, simd.floor_at(builder, load(n), bounds)), n)
    with simd.when(builder, builder.icmp_signed(">", activation, intp(activations.Activation.RELU)), []):
        own = [results, intp(0), results, intp(0), intp(1), intp(units), alpha]
        activations.call(builder, table, activation, own)
    zero = simd.constant(0.0, lanes)
    for first in range(0, units, lanes):
        made = [load(n) if n < units else zero for n in range(first, first + lanes)]
        for row, value in zip(z_rows, transpose(builder, made), strict=True):
            simd.store(builder, value, simd.element_pointer(builder, row, intp(first)))
    builder.ret_void()

"""The micro-kernels: one tile of x W + b each, for one block of inputs, its sums in registers throughout.

Equation, for every row i < rows and unit n of `panels` adjacent panels, over `inputs` <= KB inputs ::

    z[i, n] = bias[n]                                                  (with `first`; else z[i, n] as it is)
    S = +0;  for each input k, ascending:  S = fma(x[i, k], w[k, n], S)
    z[i, n] = z[i, n] + S
    z[i, n] = max(z[i, n], floor), any NaN made canonical              (with `last`)

That is a step of the sum of the numeric contract `f32-1`. It names neither rows, nor panels, nor the width of vectors:
they only decide how many sums are under way at once, so every variant gives the same bits.

Operands
    x      rows of inputs, `x_stride` apart, at any address. Nothing beyond the last input of a row is read.
    w      packed panels (packing.py) of float32 or bfloat16: streams of lines, `stream_stride` apart, 64-byte aligned.
    ahead  the distance from a stream to the one that the next tile takes instead: weights are fetched some lines early.
    bias   NR elements for each panel, one after the other.
    z      rows of outputs, `z_stride` apart. Whole panels are written, also the padding after the last unit.
    floor  0 for ReLU, -inf for none.

Strides are in float32 elements.

Registers (AVX-512, 12 rows, 2 panels of 1 vector): 24 sums, 2 weights, 1 broadcast input: 27 of 32. The variants and
their names: ``f32_dense_ukernel_<rows>x<units>`` and ``bf16_...``, for 1 to mr rows, with 1, 2, 4 and 8 panels up to
`panels_of`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.target import NR, TARGET

# The inputs of a block; part of the numeric contract.
KB = 256

# Where nothing else is fetched ahead: the lines of the next streams that the processor's own prefetching misses, as it
# learns of a stream by its first lines (128x4096, 1 row, Zen 5: 76 % of the read bandwidth without, 83 % with).
_FIRST_LINES = 4

_POINTER = simd.F32.as_pointer()
_X, _W, _Z = [_POINTER, simd.INTP, simd.INTP], [_POINTER, simd.INTP, simd.INTP], [_POINTER, _POINTER, simd.INTP]
_SIGNATURE = ir.FunctionType(ir.VoidType(), [*_X, *_W, *_Z, simd.BOOL, simd.BOOL, simd.F32])


def stream_count(panels: int, bf16: int) -> int:
    """Return how many streams of lines so many panels are: two panels of bfloat16 share one."""
    return (panels + bf16) >> bf16


class Variant(NamedTuple):
    """A micro-kernel: the rows and the panels of its tile, and whether its weights are bfloat16."""

    rows: int
    panels: int
    bf16: bool

    @property
    def name(self) -> str:
        """Its name in the assembly."""
        return f"{'bf16' if self.bf16 else 'f32'}_dense_ukernel_{self.rows}x{self.panels * NR}"

    @property
    def slot(self) -> int:
        """Where its address stands in the table of all kernels: under 512."""
        return self.rows * 32 + self.panels * 2 + self.bf16


def panels_of(rows: int, bf16: bool) -> int:
    """Return the panels that a tile of so many rows takes side by side: the most, up to 8, whose sums fit.

    Few rows have few sums, and an addition waits for the one before it (4 cycles): with more panels there are more
    sums to go on with. The registers hold the sums, the weights of one input and the input itself.
    """
    # As bfloat16, two panels are read as one; a line and a mask take registers too.
    other = TARGET.nv + 2 if bf16 else 1
    # With one row the processor's prefetching is all there is (`inputs_ahead`): it follows 4 streams better than 8.
    most = 4 if rows == 1 and not bf16 else 8
    fits = (p for p in (8, 4, 2) if p <= most and p * TARGET.nv * (rows + 1) + other <= TARGET.registers)
    return next(fits, 2 if bf16 else 1)


def inputs_ahead(variant: Variant) -> int:
    """Return how many inputs before they are needed weights are fetched into the cache.

    With one row the processor's own prefetching is better at it (52 against 41 GB/s). With more it is not, as a stream
    ends after KB lines: 2048x2048 from memory, 8 rows, Zen 5, 69 GFLOP/s without, 193 with. 16 KiB ahead is more than
    the time to fetch it, and fits an L1 cache beside what is in use; with 3 to 6 rows, which take less time for a line
    but more registers, half of that is better (388 us against 435 with 4 rows). Swept with weights in L3 and memory.
    """
    if variant.rows == 1:
        return 0
    ahead_bytes = 8 * 1024 if 3 <= variant.rows <= 6 else 16 * 1024
    return ahead_bytes // (64 * stream_count(variant.panels, variant.bf16))


def variants() -> list[Variant]:
    """Return the micro-kernels that there are."""
    return [
        Variant(rows, panels, bf16)
        for bf16, most in ((False, TARGET.mr), (True, TARGET.bf16_mr))
        for rows in range(1, most + 1)
        for panels in (1, 2, 4, 8)
        if panels <= panels_of(rows, bf16)
    ]


def kernels() -> list[simd.Kernel]:
    """Return the variants as kernels."""
    return [simd.Kernel(v.slot, v.name, _SIGNATURE, functools.partial(_emit, v)) for v in variants()]


@intrinsic
def dense_tile(
    typingctx: Any,
    table: Any,
    rows: Any,
    panels: Any,
    bf16: Any,
    x: Any,
    x_stride: Any,
    inputs: Any,
    w: Any,
    stream_stride: Any,
    ahead: Any,
    bias: Any,
    z: Any,
    z_stride: Any,
    first: Any,
    last: Any,
    floor: Any,
) -> Any:
    """Compute one tile with the variant for `rows`, `panels` and `bf16`, which must exist (`variants`).

    `table` holds the kernels' addresses (library.py).
    """
    arguments = [TABLE, types.intp, types.intp, types.intp, FLOATS, types.intp, types.intp, FLOATS, types.intp]
    arguments += [types.intp, FLOATS, FLOATS, types.intp, types.boolean, types.boolean, types.float32]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, panels, bf16 = (builder.mul(arg, simd.INTP(n)) for arg, n in zip(args[1:4], (32, 2, 1), strict=True))
        slot = builder.add(builder.add(rows, panels), bf16)
        simd.call_slot(builder, args[0], slot, _SIGNATURE, args[4:])
        return context.get_dummy_value()

    return types.void(*arguments), codegen


def _emit(
    variant: Variant,
    builder: Any,
    x: Any,
    x_stride: Any,
    inputs: Any,
    w: Any,
    stream_stride: Any,
    ahead: Any,
    bias: Any,
    z: Any,
    z_stride: Any,
    first: Any,
    last: Any,
    floor: Any,
) -> None:
    rows, lanes, nv = variant.rows, TARGET.lanes, TARGET.nv
    vector, intp = simd.vector_type(lanes), simd.INTP
    vectors = range(variant.panels * nv)
    x_rows = [simd.element_pointer(builder, x, builder.mul(x_stride, intp(i))) for i in range(rows)]
    z_rows = [simd.element_pointer(builder, z, builder.mul(z_stride, intp(i))) for i in range(rows)]
    streams = range(stream_count(variant.panels, variant.bf16))
    w_streams = [simd.element_pointer(builder, w, builder.mul(stream_stride, intp(s))) for s in streams]

    def prefetch(k: Any) -> None:
        """Fetch the line of every stream that comes some inputs later: of these streams, or of the next."""
        distance = inputs_ahead(variant)
        if not distance:
            return
        far = builder.add(ahead, builder.mul(builder.sub(intp(distance), inputs), intp(NR)))
        within = builder.icmp_signed("<", builder.add(k, intp(distance)), inputs)
        at = builder.add(builder.mul(k, intp(NR)), builder.select(within, intp(distance * NR), far))
        for stream in w_streams:
            simd.prefetch(builder, simd.element_pointer(builder, stream, at))

    def weights_of(k: Any) -> list[Any]:
        """Return the weights of an input, panel after panel."""
        at = builder.mul(k, intp(NR))
        weights = []
        for stream in w_streams:
            pointers = [simd.element_pointer(builder, stream, builder.add(at, intp(v * lanes))) for v in range(nv)]
            lines = [simd.load(builder, pointer, vector, 4 * lanes) for pointer in pointers]
            if variant.bf16:
                weights += [simd.low_bfloat16(builder, line) for line in lines]
                weights += [simd.high_bfloat16(builder, line) for line in lines]
            else:
                weights += lines
        return weights[: len(vectors)]

    if not inputs_ahead(variant):
        for stream in w_streams:
            for line in range(_FIRST_LINES):
                simd.prefetch(builder, simd.element_pointer(builder, stream, builder.add(ahead, intp(line * NR))))
    zeros = [simd.constant(0.0, lanes)] * (rows * len(vectors))
    # Not unrolled: written out 2 times, LLVM gathers the loads of x at the top and spills them (12x32, K 512, Zen 5:
    # 135 GFLOP/s instead of 230).
    with simd.loop(builder, intp(0), inputs, 1, zeros) as turn:
        weights = weights_of(turn.index)
        sums = []
        for i in range(rows):
            value = simd.load(builder, simd.element_pointer(builder, x_rows[i], turn.index), simd.F32, 1)
            spread = simd.splat(builder, value, lanes)
            sums += [simd.fma(builder, spread, weights[v], turn.carried[i * len(vectors) + v]) for v in vectors]
        turn.carried = sums
        prefetch(turn.index)

    def add_to_z(finish: Callable[[Any], Any]) -> None:
        for i in range(rows):
            for v in vectors:
                target = simd.element_pointer(builder, z_rows[i], intp(v * lanes))
                source = builder.select(first, simd.element_pointer(builder, bias, intp(v * lanes)), target)
                value = builder.fadd(simd.load(builder, source, vector), turn.carried[i * len(vectors) + v])
                simd.store(builder, finish(value), target)

    with builder.if_else(last) as (at_the_end, before):
        with at_the_end:
            bounds = simd.splat(builder, floor, lanes)
            add_to_z(lambda value: simd.canonical(builder, simd.floor_at(builder, value, bounds)))
        with before:
            add_to_z(lambda value: value)
    builder.ret_void()

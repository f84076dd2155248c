"""The micro-kernels: one tile of x W + b each, its sums in registers from the first input of a block to the last.

Equation, for every row i < rows and unit n of `panels` adjacent panels, over `inputs` inputs ::

    z[i, n] = bias[n]                                                  (with `first`; else z[i, n] as it is)
    for each block of KB inputs, ascending:
        S = +0;  for each input k of the block, ascending:  S = fma(x[i, k], w[k, n], S)
        z[i, n] = z[i, n] + S
    z[i, n] = max(z[i, n], floor), any NaN made canonical              (with `last`)

That is the sum of the numeric contract `f32-1`. It names neither rows, nor panels, nor the width of vectors: they only
decide how many sums are under way at once, so every variant gives the same bits.

Operands
    x      rows of inputs, `x_stride` apart, at any address. Nothing beyond the last input of a row is read.
    w      packed panels (packing.py) of float32 or bfloat16, `panel_stride` apart, 64-byte aligned.
    bias   NR elements for each panel, one after the other.
    z      rows of outputs, `z_stride` apart. Whole panels are written, also the padding after the last unit.
    floor  0 for ReLU, -inf for none.

`first` and `last` let a driver block over the inputs, at multiples of KB. Strides are in float32 elements.

Registers (AVX-512, 14 rows, 2 panels of 1 vector): 28 sums, 2 weights, 1 broadcast input: 31 of 32. The variants and
their names: ``f32_dense_ukernel_<rows>x<units>`` and ``bf16_...``, for 1 to mr rows, with 1, 2 and 4 panels up to
`panels_of`.
"""

import functools
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.target import NR, TARGET

# The inputs of a block; part of the numeric contract.
KB = 256

_POINTER = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(
    ir.VoidType(),
    [
        _POINTER,
        simd.INTP,
        simd.INTP,
        _POINTER,
        simd.INTP,
        _POINTER,
        _POINTER,
        simd.INTP,
        simd.BOOL,
        simd.BOOL,
        simd.F32,
    ],
)


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
        """Where its address stands in the table of all kernels: under 256."""
        return self.rows * 16 + self.panels * 2 + self.bf16


def panels_of(rows: int, bf16: bool) -> int:
    """Return the panels that a tile of so many rows takes side by side: the most, up to 4, whose sums fit.

    Few rows have few sums, and an addition waits for the one before it (4 cycles): with more panels there are more
    sums to go on with. The registers hold the sums, the weights of one input (of two, as bfloat16, with one of them
    widened) and the input itself.
    """
    each = TARGET.nv * (rows + (2 if bf16 else 1))
    spare = TARGET.registers - (2 if bf16 else 1)
    return next((panels for panels in (4, 2, 1) if panels * each <= spare), 1)


# With more rows, widening a block of weights once for all tiles costs less than widening it in each (dense.py).
BF16_ROWS = min(6, TARGET.mr)


def variants() -> list[Variant]:
    """Return the micro-kernels that there are."""
    return [
        Variant(rows, panels, bf16)
        for bf16, most in ((False, TARGET.mr), (True, BF16_ROWS))
        for rows in range(1, most + 1)
        for panels in (1, 2, 4)
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
    panel_stride: Any,
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
    arguments = [TABLE, types.intp, types.intp, types.intp, FLOATS, types.intp, types.intp, FLOATS, types.intp, FLOATS]
    arguments += [FLOATS, types.intp, types.boolean, types.boolean, types.float32]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, panels, bf16 = (builder.mul(arg, simd.INTP(n)) for arg, n in zip(args[1:4], (16, 2, 1), strict=True))
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
    panel_stride: Any,
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
    w_panels = [simd.element_pointer(builder, w, builder.mul(panel_stride, intp(p))) for p in range(variant.panels)]

    def weights_at(line: Any) -> list[Any]:
        """Return the vectors of a line of every panel: the weights of an input, or of two as bfloat16."""
        at = builder.mul(line, intp(NR))
        offsets = [builder.add(at, intp(v % nv * lanes)) for v in vectors]
        pointers = [simd.element_pointer(builder, w_panels[v // nv], offsets[v]) for v in vectors]
        return [simd.load(builder, pointer, vector, 4 * lanes) for pointer in pointers]

    def add_products(k: Any, weights: list[Any], sums: list[Any]) -> list[Any]:
        following = []
        for i in range(rows):
            value = simd.load(builder, simd.element_pointer(builder, x_rows[i], k), simd.F32, 1)
            spread = simd.splat(builder, value, lanes)
            following += [simd.fma(builder, spread, weights[v], sums[i * len(vectors) + v]) for v in vectors]
        return following

    def add_block_f32(start: Any, stop: Any, sums: list[Any]) -> list[Any]:
        # Not unrolled: written out 2 times, LLVM gathers the loads of x at the top and spills them (12x32, K 512,
        # Zen 5: 135 GFLOP/s instead of 230).
        with simd.loop(builder, start, stop, 1, sums) as turn:
            turn.carried = add_products(turn.index, weights_at(turn.index), turn.carried)
        return turn.carried

    def add_block_bf16(start: Any, stop: Any, sums: list[Any]) -> list[Any]:
        with simd.loop(builder, start, stop, 2, sums) as turn:
            pairs = weights_at(builder.lshr(turn.index, intp(1)))
            carried = add_products(turn.index, [simd.low_bfloat16(builder, pair) for pair in pairs], turn.carried)
            odd = [simd.high_bfloat16(builder, pair) for pair in pairs]
            turn.carried = add_products(builder.add(turn.index, intp(1)), odd, carried)
        with simd.when(builder, builder.icmp_signed("<", turn.index, stop), turn.carried) as rest:
            pairs = weights_at(builder.lshr(turn.index, intp(1)))
            low = [simd.low_bfloat16(builder, pair) for pair in pairs]
            rest.carried = add_products(turn.index, low, rest.carried)
        return rest.carried

    add_block = add_block_bf16 if variant.bf16 else add_block_f32
    with simd.loop(builder, intp(0), builder.add(inputs, intp(KB - 1)), KB, []) as block:
        left = builder.sub(inputs, block.index)
        is_last_block = builder.icmp_signed("<=", left, intp(KB))
        stop = builder.select(is_last_block, inputs, builder.add(block.index, intp(KB)))
        sums = add_block(block.index, stop, [simd.constant(0.0, lanes)] * (rows * len(vectors)))

        # The epilogue. -inf as the floor changes nothing, so that a block in the middle needs no branch.
        from_bias = builder.and_(first, builder.icmp_signed("==", block.index, intp(0)))
        bound = builder.select(builder.and_(last, is_last_block), floor, simd.F32(float("-inf")))
        bounds = simd.splat(builder, bound, lanes)
        for i in range(rows):
            for v in vectors:
                target = simd.element_pointer(builder, z_rows[i], intp(v * lanes))
                source = builder.select(from_bias, simd.element_pointer(builder, bias, intp(v * lanes)), target)
                value = builder.fadd(simd.load(builder, source, vector), sums[i * len(vectors) + v])
                simd.store(builder, simd.canonical(builder, simd.floor_at(builder, value, bounds)), target)
    builder.ret_void()

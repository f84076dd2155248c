"""The micro-kernels: one tile of x W + b each, its sums in registers from the first input of a block to the last.

Equation, for every row i < rows and unit n of `panels` adjacent panels, over `inputs` inputs ::

    z[i, n] = bias[n]                                                  (with `first`; else z[i, n] as it is)
    for each block of KB inputs, ascending:
        S = +0;  for each input k of the block, ascending:  S = fma(x[i, k], w[k, n], S)
        z[i, n] = z[i, n] + S
    z[i, n] = max(z[i, n], floor), any NaN made canonical              (with `last`)

That is the sum of the numeric contract `f32-1`. It names neither rows, nor panels, nor the width of vectors: they only
decide how many sums are under way at once, so every variant gives the same bits.

Operands, all float32
    x      rows of inputs, `x_stride` apart. Nothing beyond the last input of a row is read.
    w      packed panels (packing.py), `panel_stride` apart: for each input the weights of nr units, 64-byte aligned.
    bias   nr elements for each panel, one after the other.
    z      rows of outputs, `z_stride` apart. Whole panels are written, also the padding after the last unit.
    floor  0 for ReLU, -inf for none.

`first` and `last` let a driver block over the inputs, at multiples of KB. Strides are in elements.

Registers (AVX-512, 12 rows, 1 panel of 2 vectors): 24 sums, 2 weights, 1 broadcast input: 27 of 32. The variants and
their names: ``f32_dense_ukernel_<rows>x<units>``, for 1 to mr rows, with 1 panel and with `InstructionSet.panels`.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.target import TARGET

# The inputs of a block; part of the numeric contract.
KB = 256

_FLOATS = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(
    ir.VoidType(),
    [_FLOATS, simd.INTP, simd.INTP, _FLOATS, simd.INTP, _FLOATS, _FLOATS, simd.INTP, simd.BOOL, simd.BOOL, simd.F32],
)


@intrinsic
def dense_tile(
    typingctx: Any,
    rows: Any,
    panels: Any,
    x: Any,
    x_at: Any,
    x_stride: Any,
    inputs: Any,
    w: Any,
    w_at: Any,
    panel_stride: Any,
    bias_at: Any,
    z: Any,
    z_at: Any,
    z_stride: Any,
    first: Any,
    last: Any,
    floor: Any,
) -> Any:
    """Compute one tile with the variant for `rows` and `panels`; positions (`_at`) are in elements of their array.

    The variant must exist (`variants`); for another pair nothing is computed.
    """
    arguments = [types.intp, types.intp, x, types.intp, types.intp, types.intp, w, types.intp, types.intp, types.intp]
    arguments += [z, types.intp, types.intp, types.boolean, types.boolean, types.float32]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def at(array: int, position: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, args[array]).data
            return simd.element_pointer(builder, data, args[position])

        operands = [at(2, 3), args[4], args[5], at(6, 7), args[8], at(6, 9), at(10, 11), *args[12:]]
        chosen = builder.add(builder.mul(args[0], simd.INTP(_KEY)), args[1])
        done = builder.append_basic_block("tile.done")
        switch = builder.switch(chosen, done)
        for variant in variants():
            block = builder.append_basic_block(f"tile.{variant[0]}x{variant[1]}")
            switch.add_case(simd.INTP(variant[0] * _KEY + variant[1]), block)
            builder.position_at_end(block)
            builder.call(_define(builder.module, *variant), operands)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(*arguments), codegen


# Packs rows and panels into one number to switch on.
_KEY = 16


def variants() -> list[tuple[int, int]]:
    """Return the pairs of rows and panels for which there is a micro-kernel."""
    return sorted({(rows, panels) for rows in range(1, TARGET.mr + 1) for panels in (1, TARGET.panels(rows))})


def name_of(rows: int, panels: int) -> str:
    """Return the name of a variant, under which it stands in the assembly."""
    return f"f32_dense_ukernel_{rows}x{panels * TARGET.nr}"


def _define(module: Any, rows: int, panels: int) -> Any:
    """Return a variant as a function of the module, emitted on first use."""
    function, builder = simd.internal_function(module, _SIGNATURE, name_of(rows, panels))
    if builder is not None:
        _emit(builder, rows, panels, *function.args)
    return function


def _emit(
    builder: Any,
    rows: int,
    panels: int,
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
    lanes, nv, nr = TARGET.lanes, TARGET.nv, TARGET.nr
    vector, intp = simd.vector_type(lanes), simd.INTP
    vectors = range(panels * nv)
    x_rows = [simd.element_pointer(builder, x, builder.mul(x_stride, intp(i))) for i in range(rows)]
    z_rows = [simd.element_pointer(builder, z, builder.mul(z_stride, intp(i))) for i in range(rows)]
    w_panels = [simd.element_pointer(builder, w, builder.mul(panel_stride, intp(p))) for p in range(panels)]

    def add_products(k: Any, sums: list[Any]) -> list[Any]:
        weights = []
        for v in vectors:
            offset = builder.add(builder.mul(k, intp(nr)), intp(v % nv * lanes))
            weights.append(
                simd.load(builder, simd.element_pointer(builder, w_panels[v // nv], offset), vector, 4 * lanes)
            )
        following = []
        for i in range(rows):
            value = simd.load(builder, simd.element_pointer(builder, x_rows[i], k), simd.F32)
            spread = simd.splat(builder, value, lanes)
            following += [simd.fma(builder, spread, weights[v], sums[i * len(vectors) + v]) for v in vectors]
        return following

    with simd.loop(builder, intp(0), builder.add(inputs, intp(KB - 1)), KB, []) as block:
        left = builder.sub(inputs, block.index)
        is_last_block = builder.icmp_signed("<=", left, intp(KB))
        stop = builder.select(is_last_block, inputs, builder.add(block.index, intp(KB)))
        zeros = [simd.constant(0.0, lanes)] * (rows * len(vectors))
        # Not unrolled: written out 4 times, LLVM gathers the loads of x at the top and spills them (12x32, K 512,
        # Emerald Rapids: 89 to 126 GFLOP/s instead of 187).
        with simd.loop(builder, block.index, stop, 1, zeros) as turn:
            turn.carried = add_products(turn.index, turn.carried)

        # The epilogue. -inf as the floor changes nothing, so that a block in the middle needs no branch.
        from_bias = builder.and_(first, builder.icmp_signed("==", block.index, intp(0)))
        bound = builder.select(builder.and_(last, is_last_block), floor, simd.F32(float("-inf")))
        bounds = simd.splat(builder, bound, lanes)
        for i in range(rows):
            for v in vectors:
                target = simd.element_pointer(builder, z_rows[i], intp(v * lanes))
                source = builder.select(from_bias, simd.element_pointer(builder, bias, intp(v * lanes)), target)
                value = builder.fadd(simd.load(builder, source, vector), turn.carried[i * len(vectors) + v])
                simd.store(builder, simd.canonical(builder, simd.floor_at(builder, value, bounds)), target)
    builder.ret_void()

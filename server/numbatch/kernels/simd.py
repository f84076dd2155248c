"""LLVM instructions on vectors of float32, as the builders of the kernels need them.

Numba compiles Python's scalar arithmetic; which vector instructions come of it, LLVM decides. The kernels decide
themselves: they are emitted here instruction by instruction. Nothing in this file lets LLVM contract, reorder or
approximate: every operation rounds once, to nearest, and a fused multiply-add is one operation.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from llvmlite import ir
from numba.core import cgutils

# llvmlite publishes no types: a value in the code being built, and what builds it.
Value: TypeAlias = Any
Builder: TypeAlias = Any

F32 = ir.FloatType()
I32 = ir.IntType(32)
INTP = ir.IntType(64)
BOOL = ir.IntType(1)

CANONICAL_NAN = 0x7FC00000


def vector_type(lanes: int, element: ir.Type = F32) -> ir.VectorType:
    """Return the type of a vector."""
    return ir.VectorType(element, lanes)


def lanes_of(value: Value) -> int:
    """Return the number of a vector's lanes."""
    return int(value.type.count)


def constant(value: float, lanes: int) -> Value:
    """Return a vector of one number."""
    return ir.Constant(vector_type(lanes), [ir.Constant(F32, value)] * lanes)


def int_constant(value: int, lanes: int) -> Value:
    """Return a vector of one 32-bit integer."""
    return ir.Constant(vector_type(lanes, I32), [ir.Constant(I32, value)] * lanes)


def splat(builder: Builder, scalar: Value, lanes: int) -> Value:
    """Return a vector of one number that is known when it runs."""
    undefined = ir.Constant(vector_type(lanes, scalar.type), ir.Undefined)
    first = builder.insert_element(undefined, scalar, I32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(vector_type(lanes, I32), None))


def element_pointer(builder: Builder, base: Value, index: Value) -> Value:
    """Return the address of a float32 element."""
    return builder.gep(base, [index])


def load(builder: Builder, pointer: Value, type_: ir.Type, align: int = 4) -> Value:
    """Load a scalar or a vector."""
    return builder.load(builder.bitcast(pointer, type_.as_pointer()), align=align)


def store(builder: Builder, value: Value, pointer: Value, align: int = 4) -> None:
    """Store a scalar or a vector."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=align)


def scratch(builder: Builder, vectors: int, lanes: int) -> Value:
    """Return the address of memory on the stack for so many vectors, each aligned to its size."""
    memory = cgutils.alloca_once(builder, vector_type(lanes), size=INTP(vectors))
    memory.align = 4 * lanes
    return builder.bitcast(memory, F32.as_pointer())


def fma(builder: Builder, x: Value, y: Value, z: Value) -> Value:
    """Return x y + z, rounded once."""
    return _call(builder, "llvm.fma", [x, y, z])


def horner(builder: Builder, terms: Sequence[float], x: Value) -> Value:
    """Return the polynomial in x with these coefficients, the highest first, by Horner's rule."""
    lanes = lanes_of(x)
    value = constant(terms[0], lanes)
    for term in terms[1:]:
        value = fma(builder, value, x, constant(term, lanes))
    return value


def fabs(builder: Builder, x: Value) -> Value:
    """Return |x|."""
    return _call(builder, "llvm.fabs", [x])


def sqrt(builder: Builder, x: Value) -> Value:
    """Return the square root, rounded to nearest."""
    return _call(builder, "llvm.sqrt", [x])


def copysign(builder: Builder, magnitude: Value, sign: Value) -> Value:
    """Return the magnitude of one with the sign of the other."""
    return _call(builder, "llvm.copysign", [magnitude, sign])


def floor_at(builder: Builder, x: Value, bound: Value) -> Value:
    """Return x where x > bound or x is NaN, else bound."""
    return builder.select(builder.fcmp_unordered(">", x, bound), x, bound)


def ceil_at(builder: Builder, x: Value, bound: Value) -> Value:
    """Return x where x < bound or x is NaN, else bound."""
    return builder.select(builder.fcmp_unordered("<", x, bound), x, bound)


def canonical(builder: Builder, x: Value) -> Value:
    """Return x, any NaN replaced by the positive quiet NaN: processors differ in the sign and payload they make."""
    nan = from_bits(builder, int_constant(CANONICAL_NAN, lanes_of(x)))
    return builder.select(builder.fcmp_ordered("==", x, x), x, nan)


def _call(builder: Builder, name: str, arguments: Sequence[Value]) -> Value:
    type_ = arguments[0].type
    suffix = f"v{type_.count}f32" if isinstance(type_, ir.VectorType) else "f32"
    signature = ir.FunctionType(type_, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, signature, f"{name}.{suffix}")
    return builder.call(function, arguments)


def bits(builder: Builder, x: Value) -> Value:
    """Return the bits of floats as integers."""
    return builder.bitcast(x, vector_type(lanes_of(x), I32))


def from_bits(builder: Builder, x: Value) -> Value:
    """Return the floats that have these bits."""
    return builder.bitcast(x, vector_type(lanes_of(x)))


def prefetch(builder: Builder, pointer: Value) -> None:
    """Ask for a line of memory to be read into the caches; any address will do."""
    pointer = builder.bitcast(pointer, cgutils.voidptr_t)
    signature = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(function, [pointer, I32(0), I32(3), I32(1)])


def low_bfloat16(builder: Builder, pairs: Value) -> Value:
    """Return the floats that the low halves of a vector's elements are, as bfloat16."""
    numbers = bits(builder, pairs)
    return from_bits(builder, builder.shl(numbers, int_constant(16, lanes_of(pairs))))


def high_bfloat16(builder: Builder, pairs: Value) -> Value:
    """Return the floats that the high halves of a vector's elements are, as bfloat16."""
    numbers = bits(builder, pairs)
    return from_bits(builder, builder.and_(numbers, int_constant(0xFFFF0000, lanes_of(pairs))))


def lane_numbers(lanes: int) -> Value:
    """Return the vector 0, 1, 2, ... of 64-bit integers."""
    return ir.Constant(vector_type(lanes, INTP), [INTP(lane) for lane in range(lanes)])


def shuffle(builder: Builder, x: Value, lanes: Sequence[int], y: Value = None) -> Value:
    """Return the vector made of these lanes of x, followed by those of y, if there is one."""
    mask = ir.Constant(vector_type(len(lanes), I32), [I32(lane) for lane in lanes])
    return builder.shuffle_vector(x, ir.Constant(x.type, ir.Undefined) if y is None else y, mask)


class Kernel(NamedTuple):
    """A function that is emitted, not compiled from Python.

    Attributes
    ----------
    slot : int
        Where its address stands in the table of all kernels.
    name : str
        Its name in the assembly.
    signature : ir.FunctionType
        What it takes.
    emit : callable
        Emits its body, given the builder and the arguments; returns nothing, and ends with the return instruction.
    """

    slot: int
    name: str
    signature: ir.FunctionType
    emit: Callable[..., None]


def define(module: ir.Module, kernel: Kernel) -> ir.Function:
    """Add a kernel to a module.

    Functions of their own, not inlined, keep one kernel's registers apart from another's, and can be found in the
    assembly.
    """
    function = ir.Function(module, kernel.signature, kernel.name)
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    kernel.emit(ir.IRBuilder(function.append_basic_block("entry")), *function.args)
    return function


def call_slot(builder: Builder, table: Value, slot: Value, signature: ir.FunctionType, args: Sequence[Value]) -> None:
    """Call the kernel whose address stands in a slot of a table."""
    number = builder.load(builder.gep(table, [slot]))
    builder.call(builder.inttoptr(number, signature.as_pointer()), args)


class Loop:
    """The turn of a loop: its index, and the values that it carries in registers from turn to turn."""

    def __init__(self, index: Value, carried: Sequence[Value]) -> None:
        self.index = index
        self.carried = list(carried)


@contextmanager
def loop(builder: Builder, start: Value, stop: Value, step: int, carried: Sequence[Value]) -> Iterator[Loop]:
    """Emit ``index = start; while index + step <= stop: ...; index += step``.

    The block under ``with loop(...) as turn`` emits the body. It reads `turn.index` and `turn.carried` and sets
    `turn.carried` to the values for the next turn; after the block they hold the last ones.
    """
    before = builder.block
    head, body, after = (builder.append_basic_block(name) for name in ("loop", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INTP)
    index.add_incoming(start, before)
    phis = [builder.phi(value.type) for value in carried]
    for phi, value in zip(phis, carried, strict=True):
        phi.add_incoming(value, before)
    following = builder.add(index, INTP(step))
    builder.cbranch(builder.icmp_signed("<=", following, stop), body, after)
    builder.position_at_end(body)
    turn = Loop(index, phis)
    yield turn
    index.add_incoming(following, builder.block)
    for phi, value in zip(phis, turn.carried, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    turn.index, turn.carried = index, phis


@contextmanager
def when(builder: Builder, condition: Value, carried: Sequence[Value]) -> Iterator[Loop]:
    """Emit ``if condition: ...``, a loop that turns at most once; see `loop` for `turn.carried`."""
    before = builder.block
    body, after = (builder.append_basic_block(name) for name in ("when", "after"))
    builder.cbranch(condition, body, after)
    builder.position_at_end(body)
    turn = Loop(None, carried)
    yield turn
    end = builder.block
    builder.branch(after)
    builder.position_at_end(after)
    phis = [builder.phi(value.type) for value in carried]
    for phi, value, unchanged in zip(phis, turn.carried, carried, strict=True):
        phi.add_incoming(unchanged, before)
        phi.add_incoming(value, end)
    turn.carried = phis


def run_from(
    builder: Builder, first: Value, parts: Sequence[Callable[[list[Value]], list[Value]]], carried: Sequence[Value]
) -> list[Value]:
    """Emit parts, each of which gives new values for those it takes, and a jump to the one of number `first`."""
    before = builder.block
    blocks = [builder.append_basic_block(f"part{number}") for number in range(len(parts))]
    switch = builder.switch(first, blocks[0])
    values = list(carried)
    for number, (part, block) in enumerate(zip(parts, blocks, strict=True)):
        end = builder.block
        builder.position_at_end(block)
        if number:
            switch.add_case(INTP(number), block)
            phis = [builder.phi(value.type) for value in values]
            for phi, value, entering in zip(phis, values, carried, strict=True):
                phi.add_incoming(value, end)
                phi.add_incoming(entering, before)
            values = phis
        values = part(values)
        if number + 1 < len(parts):
            builder.branch(blocks[number + 1])
    return values

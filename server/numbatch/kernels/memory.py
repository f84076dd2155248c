"""Memory as compiled code sees it: pointers, with no type of array, no length and no reference count about them.

What comes from Python are arrays. Their first elements' addresses are all that the kernels need, and reading an address
is a single load where Numba's own arrays are taken apart into seven numbers and counted in and out (0.1 us each).
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import NativeValue, intrinsic, models, register_model, unbox

from numbatch.kernels import simd

FLOATS = types.CPointer(types.float32)  # type: ignore[attr-defined]
TABLE = types.CPointer(types.int64)  # type: ignore[attr-defined]


class ArrayData(types.Type):
    """The type of an argument that is a NumPy array of any shape, of which the data's address is taken.

    The caller answers for the type of the elements, for their order in memory, and for keeping the array.
    """

    def __init__(self, pointer: types.Type) -> None:
        self.pointer = pointer
        super().__init__(f"ArrayData({pointer})")


@register_model(ArrayData)
class _ArrayDataModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.pointer).get_value_type())


@unbox(ArrayData)
def _address_of_data(typ: Any, obj: Any, c: Any) -> NativeValue:
    # PyArrayObject, as NumPy's headers publish it: what every object begins with, then the address of the data.
    field = c.builder.gep(c.builder.bitcast(obj, cgutils.voidptr_t), [simd.INTP(object.__basicsize__)])
    pointer = c.context.get_value_type(typ.pointer)
    return NativeValue(c.builder.load(c.builder.bitcast(field, pointer.as_pointer())))


@intrinsic
def pointer_to(typingctx: Any, data: Any) -> Any:
    """Return the pointer that an argument of type `ArrayData` is."""
    return data.pointer(data), lambda context, builder, signature, args: args[0]


@intrinsic
def shift(typingctx: Any, pointer: Any, elements: Any) -> Any:
    """Return a pointer so many elements further on."""
    return pointer(pointer, types.intp), lambda context, builder, signature, args: builder.gep(args[0], [args[1]])


@intrinsic
def address(typingctx: Any, pointer: Any) -> Any:
    """Return a pointer as a number, to be kept in a table."""
    return types.int64(pointer), lambda context, builder, signature, args: builder.ptrtoint(args[0], simd.INTP)


@intrinsic
def floats_at(typingctx: Any, number: Any) -> Any:
    """Return the pointer to float32 that was kept as a number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], simd.F32.as_pointer())

    return FLOATS(types.int64), codegen


@intrinsic
def table_at(typingctx: Any, number: Any) -> Any:
    """Return the pointer to int64 that was kept as a number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], simd.INTP.as_pointer())

    return TABLE(types.int64), codegen


@intrinsic
def copy(typingctx: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy so many float32; either side may lie at any address, as what comes from the wire does."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cgutils.raw_memcpy(builder, args[0], args[1], args[2], 4)
        return context.get_dummy_value()

    return types.void(FLOATS, FLOATS, types.intp), codegen


@intrinsic
def int_at(typingctx: Any, pointer: Any, index: Any) -> Any:
    """Return the 32-bit integer whose bits lie where a float32 does."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = simd.element_pointer(builder, args[0], args[1])
        return builder.sext(simd.load(builder, place, simd.I32), simd.INTP)

    return types.int64(FLOATS, types.intp), codegen


@intrinsic
def float_of_bits(typingctx: Any, number: Any) -> Any:
    """Return the float32 whose bits are the low half of a number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.trunc(args[0], simd.I32), simd.F32)

    return types.float32(types.int64), codegen


@intrinsic
def float_environment(typingctx: Any) -> Any:
    """Return the SSE control register, MXCSR; elsewhere than on x86 what it is by default."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not _has_mxcsr(builder):
            return simd.I32(MXCSR_DEFAULT)
        slot = cgutils.alloca_once(builder, simd.I32)
        builder.call(_mxcsr_function(builder, "llvm.x86.sse.stmxcsr"), [builder.bitcast(slot, cgutils.voidptr_t)])
        return builder.load(slot)

    return types.uint32(), codegen


@intrinsic
def set_float_environment(typingctx: Any, value: Any) -> Any:
    """Set the SSE control register, MXCSR; elsewhere than on x86 do nothing."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _has_mxcsr(builder):
            slot = cgutils.alloca_once(builder, simd.I32)
            builder.store(args[0], slot)
            builder.call(_mxcsr_function(builder, "llvm.x86.sse.ldmxcsr"), [builder.bitcast(slot, cgutils.voidptr_t)])
        return context.get_dummy_value()

    return types.void(types.uint32), codegen


# Round to nearest, denormals kept, no traps: what the contract asks for. A library compiled for "fast math" may have
# changed it for the calling thread. The low six bits tell what happened, not what is to happen.
MXCSR_DEFAULT = 0x1F80
MXCSR_CONTROL = 0xFFC0


def _has_mxcsr(builder: Any) -> bool:
    return bool(builder.module.triple.startswith(("x86", "i686")))


def _mxcsr_function(builder: Any, name: str) -> Any:
    signature = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t])
    return cgutils.get_or_insert_function(builder.module, signature, name)

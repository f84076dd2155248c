"""Every kernel as a function of machine code, and the table of their addresses.

The kernels are emitted, optimised and compiled here once, in one module. What drives them is compiled beside it and
calls them through the table: Numba optimises the code of a function again in each function that calls it, and the
kernels would be compiled five times over (11 s instead of 4).
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import activations, elementwise, layer_norm, microkernel, narrow, softmax
from numbatch.kernels.cache import compiled_once
from numbatch.kernels.memory import TABLE, ArrayData, pointer_to
from numbatch.kernels.simd import INTP, Kernel, define


def all_kernels() -> Sequence[Kernel]:
    """Return the kernels that there are."""
    families = (microkernel, narrow, activations, softmax, elementwise, layer_norm)
    return [kernel for family in families for kernel in family.kernels()]


@intrinsic
def _write_addresses(typingctx: Any, table: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for kernel in all_kernels():
            function = define(builder.module, kernel)
            builder.store(builder.ptrtoint(function, INTP), builder.gep(args[0], [INTP(kernel.slot)]))
        return context.get_dummy_value()

    return types.void(TABLE), codegen


def write_addresses(table: Any) -> None:
    """Write the address of each kernel to its slot of a table of int64."""
    _write_addresses(pointer_to(table))


compiled_kernels = compiled_once(write_addresses, types.void(ArrayData(TABLE)), "kernels")

_table: npt.NDArray[np.int64] = np.zeros(0, np.int64)
_lock = threading.Lock()


def kernel_table() -> npt.NDArray[np.int64]:
    """Return the addresses of all kernels, compiled when they are first asked for; always the same array."""
    global _table
    with _lock:
        if not len(_table):
            table = np.zeros(1 + max(kernel.slot for kernel in all_kernels()), np.int64)
            compiled_kernels(table)
            _table = table
    return _table

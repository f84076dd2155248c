"""The floating-point mode of a thread, as a library compiled for "fast math" may change it. Only x86 has this one."""

from typing import Any

import numba
import numpy as np

from numbatch.kernels.memory import MXCSR_CONTROL, float_environment, set_float_environment

FLUSH_TO_ZERO = np.uint32(0x9FC0)  # denormal results become zero, denormal operands are taken as zero
CONTROL = np.uint32(MXCSR_CONTROL)


def _exchange(value: Any) -> Any:
    before = float_environment()
    set_float_environment(value)
    return before


exchange: Any = numba.njit(_exchange)

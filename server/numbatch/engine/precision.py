"""Weights in the precision that a model is loaded with: rounded once, here, and exact from then on."""

import numpy as np

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, shape_text

LARGEST_BFLOAT16 = 2.0**127 * (2 - 2.0**-7)

_LOW_HALF = np.uint32(0xFFFF)
_ALMOST_HALF = np.uint32(0x7FFF)
_QUIET = np.uint32(0x00400000)


def round_to_bfloat16(array: Float32Array) -> Float32Array:
    """Round float32 numbers to the nearest that a bfloat16 holds, of two equally near ones to the even one.

    A bfloat16 is the upper half of a float32, so the lower half of what comes back is zero. A number of 3.3961775e38 or
    more in size becomes an infinity; infinities and NaN stay what they are, denormals are rounded like all others.

    Parameters
    ----------
    array : ndarray of float32
        With one axis or more.

    Returns
    -------
    ndarray of float32
        A new one, of the same shape.
    """
    bits = np.ascontiguousarray(array).view(np.uint32)
    # What is added carries into the upper half for more than a half, and for a half where the last bit that stays is 1.
    rounded = (bits >> np.uint32(16)) & np.uint32(1)
    rounded += _ALMOST_HALF
    rounded += bits
    # A NaN could be carried beyond the infinity, and a cut could leave nothing of it.
    nan = np.isnan(array)
    rounded[nan] = bits[nan] | _QUIET
    rounded &= ~_LOW_HALF
    return rounded.view(np.float32)


def in_precision(kernel: Float32Array, weights_precision: str, field: str, first: int = 0) -> Float32Array:
    """Return finite weights as the kernels compute with them.

    Parameters
    ----------
    kernel : ndarray of float32
        As the model has them.
    weights_precision : str
        "f32": they stay as they are. "bf16": they are rounded.
    field : str
        The message's path, for errors.
    first : int
        The first row of the kernel that these are, for errors.

    Raises
    ------
    InvalidModelError
        WEIGHTS_NOT_FINITE, if one of them is too large for the precision.
    """
    if weights_precision == "f32":
        return kernel
    rounded = round_to_bfloat16(kernel)
    finite = np.isfinite(rounded)
    if not finite.all():
        place = np.unravel_index(np.argmin(finite), finite.shape)
        row, *rest = (int(i) for i in place)
        raise error(
            Reason.WEIGHTS_NOT_FINITE,
            "an infinity once rounded to bf16",
            field=field + shape_text([first + row, *rest]),
            got=kernel[place],
            expected=f"at most {LARGEST_BFLOAT16:.7g} in size",
            hint="load the model with weights_precision f32",
        )
    return rounded

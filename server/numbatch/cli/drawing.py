"""Arrays as text: an image in shades, a layer's outputs as little columns, probabilities as bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_SHADES = " ░▒▓█"
_COLUMNS = "▁▂▃▄▅▆▇█"
_BAR_WIDTH = 30


def image(pixels: npt.NDArray[Any], highest: float) -> list[str]:
    """Return a line of text for each row of pixels, two characters to a pixel, as that is about square.

    Parameters
    ----------
    pixels : ndarray of shape (height, width)
        0 (white) to `highest` (black).
    highest : float
        The darkest grey level.
    """
    levels = np.clip(np.rint(pixels / highest * (len(_SHADES) - 1)), 0, len(_SHADES) - 1).astype(int)
    return ["".join(_SHADES[level] * 2 for level in row) for row in levels]


def columns(values: npt.NDArray[Any]) -> str:
    """Return one character for each value: a column from the lowest (an eighth) to the highest (full)."""
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    levels = np.rint((values.reshape(-1) - low) / span * (len(_COLUMNS) - 1)).astype(int)
    return "".join(_COLUMNS[level] for level in levels)


def bars(names: Sequence[str], shares: npt.NDArray[Any]) -> list[str]:
    """Return a line for each share (0 to 1): its name, a bar, the per cent."""
    label = max(map(len, names))
    return [
        f"{name:>{label}} {'█' * round(float(share) * _BAR_WIDTH):<{_BAR_WIDTH}} {share:6.1%}"
        for name, share in zip(names, shares.reshape(-1), strict=True)
    ]

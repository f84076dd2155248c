"""Shapes -> blocks: how much of a layer, and of a batch, is worked on at a time. No bit of a result depends on it."""

from numbatch.kernels.microkernel import KB
from numbatch.kernels.target import TARGET

# Activations of one block of rows, all layers together, should stay in a 1 MiB L2 beside the weights that stream
# through it.
_ACTIVATION_BYTES = 512 * 1024

# Rows of a block: enough to read weights once for many rows, few enough to stay in cache.
_MOST_ROWS = 192

# 16 floats are one cache line.
_LINE = 16


def row_stride(width: int) -> int:
    """Return the distance of rows of so many elements, in elements: whole panels, and an odd number of cache lines.

    At a power of two the 12 rows of a tile would fall into the same cache set, which holds 8 to 12 lines.
    """
    lines = -(-width // TARGET.nr) * TARGET.nr // _LINE
    return (lines | 1) * _LINE


def row_block(elements_per_row: int) -> int:
    """Return how many rows go through a whole network at a time.

    Parameters
    ----------
    elements_per_row : int
        The floats that one row occupies in the workspace.

    Returns
    -------
    int
        A multiple of mr.
    """
    fitting = min(_MOST_ROWS, _ACTIVATION_BYTES // (4 * elements_per_row))
    return max(1, fitting // TARGET.mr) * TARGET.mr


def inputs_per_pass(rows: int, inputs: int) -> int:
    """Return how many inputs of a layer are summed before the next panel's turn, a multiple of KB unless it is all.

    With one tile of rows each weight is needed once: all inputs. With more, the part of a panel that every tile needs
    should stay in the L1 cache: KB inputs of nr units are 32 KiB for AVX-512, 16 KiB for AVX2.
    """
    return inputs if rows <= TARGET.mr else KB

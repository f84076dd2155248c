"""Shapes -> blocks: how much of a layer, and of a batch, is worked on at a time, and by how many threads.

Pure decisions, taken from shapes alone. No bit of a result depends on any of them.
"""

from numbatch.kernels.target import NR, TARGET

# Rows of a block: enough to read weights once for many rows, few enough that KB inputs of all of them stay in a
# 1 MiB L2 cache.
_MOST_ROWS = 192

# 16 floats are one cache line; 1024 are the 64 lines of a way of the L1 cache.
_LINE = 16
_WAY = 1024


def row_stride(width: int) -> int:
    """Return the distance of rows of so many elements, in elements: whole panels, and an odd number of cache lines.

    At a power of two the rows of a tile would fall into the same cache set, which holds 8 to 12 lines.
    """
    lines = -(-width // NR) * NR // _LINE
    return (lines | 1) * _LINE


def reads_well(width: int) -> bool:
    """Tell whether rows that lie one after the other can be read where they are.

    Those of a multiple of 4096 bytes are copied first: each line of one would push out that of another.
    """
    return width % _WAY != 0


# A block's activations, all layers together: where rows are so wide that it takes fewer of them, weights are read for
# longer than activations in any case.
_MOST_ACTIVATION_BYTES = 64 * 1024 * 1024


def example_block(rows: int, elements: int) -> int:
    """Return how many examples go through a whole network at a time.

    Parameters
    ----------
    rows : int
        The rows that one example has, where it has most.
    elements : int
        The floats that one example occupies in the workspace.

    Returns
    -------
    int
        1 or more; from mr on, a multiple of mr.
    """
    fitting = min(_MOST_ROWS // rows, _MOST_ACTIVATION_BYTES // (4 * elements))
    return max(1, fitting // TARGET.mr * TARGET.mr or fitting)


ALONE, BY_ROWS, BY_PANELS = range(3)

# Under 15 us of work, and for rows beyond which reading weights twice costs nothing (2 cores, Zen 5).
_LEAST_SHARED_NS = 15_000
_ROWS_EACH = 48
_SMALL_WEIGHTS = 64 * 1024

# A core's multiply-adds in a nanosecond, and the rows below which reading the weights takes longer than they do.
_PER_NS = 128
_ROWS_TO_COMPUTE = 5


def sharing(rows: int, weights: int, block: int, threads: int) -> int:
    """Return how threads share a batch: ALONE, BY_ROWS (each takes rows through the network) or BY_PANELS.

    Parameters
    ----------
    rows : int
        The examples of the batch.
    weights : int
        The multiply-adds of one example.
    block : int
        Most examples that go through the network at a time.
    threads : int
        How many there are, with the caller.
    """
    if threads == 1 or weights * max(rows, _ROWS_TO_COMPUTE) < _LEAST_SHARED_NS * _PER_NS:
        return ALONE
    if rows > min(block, threads * _ROWS_EACH) or (weights <= _SMALL_WEIGHTS and rows >= 2 * threads):
        return BY_ROWS
    return BY_PANELS


def shared_block(rows: int, block: int, threads: int) -> int:
    """Return the rows of a block, at most `block`, such that every thread has as many blocks as the others."""
    rounds = (rows + threads * block - 1) // (threads * block)
    return (rows + threads * rounds - 1) // (threads * rounds)


# The multiply-adds of a share of a layer that is worth fetching: about 2 us.
_LEAST_SHARE = 256 * 1024


def panel_shares(streams: int, weights: int, rows: int, threads: int) -> int:
    """Return into how many shares the streams of a layer's weights are split, `weights` multiply-adds for each row."""
    worth = weights * max(rows, _ROWS_TO_COMPUTE) // _LEAST_SHARE
    return max(1, min(worth, 2 * threads, streams))


# Most units of a layer that `narrow` computes.
NARROW_UNITS = 8


def rows_in_lanes(rows: int, inputs: int, units: int) -> bool:
    """Tell whether a layer has so few units that `narrow` computes it faster than tiles of whole panels do.

    That has vectors of `lanes` rows, and computes some rows twice to fill the last one. For each input of a vector it
    takes a multiply-add for each unit, where tiles take one for each row; to turn the inputs over counts as much as 4
    more, and there is a fixed cost for the outputs of each unit. Hence three bounds: on the units, rows computed twice
    counted in; at least as many inputs as lanes, as a whole square of them is read; and 4 inputs for each unit, or
    fewer where the square is smaller.

    Found by trying 1 to 15 units, 1 to 2048 inputs and 14 to 1024 rows. Microseconds of a call of one layer, one thread
    of Zen 5, tiles -> rows in lanes (tiles take as long for any number of units)::

        rows x inputs    1 unit           4 units          8 units
          16 x 512       2.6 -> 1.7       2.6 -> 1.8       2.6 -> 1.9
     256 x 256      10.5 -> 5.5      10.4 -> 5.8      10.5 -> 7.5
    1024 x 16        5.5 -> 4.1       5.5 -> 4.4      (beyond the bounds)
    1024 x 64       11.8 -> 6.4      12.0 -> 7.6      11.7 -> 9.8
    1024 x 512      76.9 -> 41.5     76.2 -> 47.0     76.9 -> 58.4
    1024 x 2048      437 -> 299       444 -> 287       442 -> 322

    With 10 units it was 1.0 to 1.2 times as fast with AVX-512, and 0.9 to 1.1 times with AVX2.
    """
    lanes = TARGET.lanes
    filled = (rows + lanes - 1) // lanes * lanes
    few = units <= NARROW_UNITS and units * filled <= 11 * rows
    return few and min(rows, inputs) >= lanes and units * lanes <= 4 * inputs

"""The one compiled call that takes a batch through a whole network.

A network is a table of steps (`steps.py`), one row of integers each, that read from and write to places in a workspace.
Blocks of examples walk the table one after the other, so that a block's activations stay in cache from the first layer
to the last and the workspace is small whatever the batch.

An example may have several rows: a step works on its last axis, and on all rows that the axes before make.
"""

from typing import Any

import numba
import numpy as np
from numba.core import types

from numbatch.kernels.atomics import exchange
from numbatch.kernels.blocking import ALONE, BY_ROWS, shared_block, sharing
from numbatch.kernels.cache import compiled_once
from numbatch.kernels.memory import (
    FLOATS,
    MXCSR_CONTROL,
    MXCSR_DEFAULT,
    TABLE,
    ArrayData,
    float_environment,
    pointer_to,
    set_float_environment,
)
from numbatch.kernels.network import header_of, run_step, step_of
from numbatch.kernels.team import BUSY, THREADS, dismiss, offer, serve

_MXCSR_DEFAULT, _MXCSR_CONTROL = np.uint32(MXCSR_DEFAULT), np.uint32(MXCSR_CONTROL)
_sharing, _shared_block = numba.njit(sharing), numba.njit(shared_block)

# Instead of a number of rows: sit in the team and take shares of what others offer; make those who sit there return.
SERVE, DISMISS = -1, -2

_SIGNATURE = types.void(
    ArrayData(TABLE), ArrayData(FLOATS), ArrayData(FLOATS), types.int64, ArrayData(FLOATS), ArrayData(TABLE)
)


def run(program: Any, workspace: Any, x: Any, rows: int, outputs: Any, team: Any) -> None:
    """Take a batch through a network.

    Nothing is checked here, neither types nor sizes.

    Parameters
    ----------
    program : ndarray of int64
        A `steps.Header`, padded to HEADER_SIZE, and its `steps.Step` rows, one after the other.
    workspace : ndarray of float32, 64-byte aligned
        Scratch memory, the header's `workspace_size` for each thread of the team; no other call may use it at the same
        time.
    x : ndarray of float32
        The input, row-major; any address, read-only or not.
    rows : int
        The examples of the batch, 1 or more; or SERVE, or DISMISS.
    outputs : ndarray of float32
        What is wanted, row-major, each layer at the place that the steps say.
    team : ndarray of int64
        The threads that may help, as in `team.py`.
    """
    team_table = pointer_to(team)
    before = float_environment()
    changed = (before & _MXCSR_CONTROL) != _MXCSR_DEFAULT
    if changed:
        set_float_environment(_MXCSR_DEFAULT)
    if rows == SERVE:
        serve(team_table)
    elif rows == DISMISS:
        dismiss(team_table)
    else:
        _run(pointer_to(program), pointer_to(workspace), pointer_to(x), rows, pointer_to(outputs), team_table)
    if changed:
        set_float_environment(before)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _run(program: Any, workspace: Any, x: Any, rows: int, outputs: Any, team: Any) -> None:
    header = header_of(program)
    threads = team[THREADS]
    mode = _sharing(rows, header.weights, header.block, threads)
    if mode != ALONE and exchange(team, BUSY, 1) == 0:
        block = _shared_block(rows, header.block, threads) if mode == BY_ROWS else rows
        offer(team, mode, program, workspace, x, rows, block, outputs)
        exchange(team, BUSY, 0)
        return
    block = _shared_block(rows, header.block, 1)
    for start in range(0, rows, block):
        count = min(block, rows - start)
        for number in range(header.steps):
            step = step_of(program, number)
            run_step(header, step, workspace, x, rows, start, count, outputs, 0, 1)


run_network = compiled_once(run, _SIGNATURE, "driver of the kernels")

"""How threads share one batch: shares are numbered, and each thread takes the next one until there are none left.

Nobody waits for a thread that has not begun: if it comes late, the others have done its work. The order in which shares
are taken changes no bit, because each output is computed by one thread from the first input to the last.

By rows, a share is a block of examples, through the whole network. By panels, a share is some panels of one layer, for
all examples; those of the next layer begin when all of this one are done.

A team is a table of words, each of those that change in a cache line of its own. The caller of `run` (program.py)
offers a batch in it; threads that have nothing else to do sit in `serve` until STOP is set. One batch at a time: who
finds the team busy works alone.
"""

from typing import Any

import numba

from numbatch.kernels.atomics import exchange, fetch_add, pause, read, wait_while, wake, yield_thread
from numbatch.kernels.blocking import BY_ROWS, panel_shares
from numbatch.kernels.memory import address, floats_at, shift, table_at
from numbatch.kernels.microkernel import stream_count
from numbatch.kernels.network import header_of, run_step, step_of
from numbatch.kernels.placement import CPU_SET_SIZE, current_cpu, leave_cpu
from numbatch.kernels.steps import DENSE
from numbatch.kernels.target import NR

# Words that change: each in a cache line of its own. OPEN is the number of the offer that shares may be taken of, or 0.
OFFERS, OPEN, INSIDE, SLEEPING, STOP, BUSY, NEXT, DONE, PARTS = range(0, 9 * 8, 8)
# Words that are written before a batch is offered, and the threads of the team, with the caller.
_MODE, _PROGRAM, _WORKSPACE, _X, _ROWS, _BLOCK, _OUTPUTS, _SHARERS = range(72, 80)
THREADS, _CALLER_CPU = 80, 81
# The processors that the threads may run on.
CPUS = 88
TEAM_SIZE = CPUS + CPU_SET_SIZE

# 18 us on Zen 5: a caller that comes again within that need not wake anybody, which takes it 7 us and the sleeper 17.
_SPINS = 800
# A thread that waits for another one's share lets others run after so many turns: that one may have no processor.
_PATIENCE = 2000

_panel_shares, _stream_count = numba.njit(panel_shares), numba.njit(stream_count)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def offer(team: Any, mode: int, program: Any, workspace: Any, x: Any, rows: int, block: int, outputs: Any) -> None:
    """Take a batch through a network together with the team's threads. The team must be BUSY, for the caller."""
    team[_MODE], team[_ROWS], team[_BLOCK], team[_SHARERS] = mode, rows, block, team[THREADS]
    team[_PROGRAM], team[_WORKSPACE] = address(program), address(workspace)
    team[_X], team[_OUTPUTS] = address(x), address(outputs)
    team[NEXT], team[DONE], team[PARTS] = 0, 0, 0
    team[_CALLER_CPU] = current_cpu()
    # First open, then counted: who sees the count finds it open, and nobody takes part twice.
    exchange(team, OPEN, team[OFFERS] + 1)
    fetch_add(team, OFFERS, 1)
    if read(team, SLEEPING) > 0:
        wake(team, OFFERS)
    _take_shares(team)
    exchange(team, OPEN, 0)
    turns = 0
    while read(team, INSIDE) > 0:
        turns = _wait(turns)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def serve(team: Any) -> None:
    """Take shares of whatever is offered, until STOP."""
    seen = read(team, OFFERS)
    while read(team, STOP) == 0:
        spins = 0
        while read(team, OFFERS) == seen and read(team, STOP) == 0:
            pause()
            spins += 1
            if spins == _SPINS:
                fetch_add(team, SLEEPING, 1)
                wait_while(team, OFFERS, seen)
                fetch_add(team, SLEEPING, -1)
                spins = 0
        seen = read(team, OFFERS)
        cpu = current_cpu()
        if 0 <= cpu < 64 * CPU_SET_SIZE and cpu == team[_CALLER_CPU]:
            leave_cpu(shift(team, CPUS), cpu)
        # Who is inside is waited for; who comes after it was closed must not touch what is no longer offered.
        fetch_add(team, INSIDE, 1)
        if read(team, OPEN) == seen:
            _take_shares(team)
        fetch_add(team, INSIDE, -1)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def dismiss(team: Any) -> None:
    """Make all threads return from `serve`."""
    exchange(team, STOP, 1)
    fetch_add(team, OFFERS, 1)
    wake(team, OFFERS)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _take_shares(team: Any) -> None:
    rows, block = team[_ROWS], team[_BLOCK]
    program = table_at(team[_PROGRAM])
    x, outputs = floats_at(team[_X]), floats_at(team[_OUTPUTS])
    header = header_of(program)
    workspace = floats_at(team[_WORKSPACE])
    if team[_MODE] == BY_ROWS:
        workspace = shift(workspace, fetch_add(team, PARTS, 1) * header.workspace_size)
        start = fetch_add(team, NEXT, 1) * block
        while start < rows:
            count = min(block, rows - start)
            for number in range(header.steps):
                step = step_of(program, number)
                run_step(header, step, workspace, x, rows, start, count, outputs, 0, 1)
            start = fetch_add(team, NEXT, 1) * block
        return
    before = 0
    share = fetch_add(team, NEXT, 1)
    for number in range(header.steps):
        step = step_of(program, number)
        shares = 1
        if step.kind == DENSE:
            weights = step.panels * NR * step.source_width
            streams = _stream_count(step.panels, step.bf16)
            shares = _panel_shares(streams, weights, rows * step.source_rows, team[_SHARERS])
        if share < before + shares:
            turns = 0
            while read(team, DONE) < before:
                turns = _wait(turns)
        while share < before + shares:
            run_step(header, step, workspace, x, rows, 0, rows, outputs, share - before, shares)
            fetch_add(team, DONE, 1)
            share = fetch_add(team, NEXT, 1)
        before += shares


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _wait(turns: int) -> int:
    """Wait a little for another thread, and return one turn more."""
    pause()
    if turns % _PATIENCE == _PATIENCE - 1:
        yield_thread()
    return turns + 1

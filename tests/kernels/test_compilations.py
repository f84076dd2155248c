"""Compilations are counted, and what comes from the cache is none."""

import numba

from numbatch.kernels.compilations import compilations
from numbatch.kernels.library import compiled_kernels


def test_a_compilation_counts_once_and_the_call_of_what_is_compiled_does_not() -> None:
    function = numba.njit(lambda x: x + 1)
    before = compilations()
    assert function(1) == 2
    assert compilations() == before + 1
    assert function(2) == 3
    assert compilations() == before + 1


def test_what_is_ready_is_not_compiled_again() -> None:
    compiled_kernels.prepare()
    before = compilations()
    compiled_kernels.prepare()
    assert compilations() == before

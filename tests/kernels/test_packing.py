from typing import Any

import numpy as np
import pytest

from numbatch.kernels.blocking import inputs_per_pass, row_block, row_stride
from numbatch.kernels.microkernel import KB
from numbatch.kernels.packing import aligned_zeros, layout, pack, unpack
from numbatch.kernels.target import TARGET
from support.layers import bits

MR, NR = TARGET.mr, TARGET.nr


@pytest.mark.parametrize("units", [1, NR - 1, NR, NR + 1, 3 * NR + 5])
@pytest.mark.parametrize("inputs", [1, 7, 300])
def test_what_is_packed_can_be_unpacked(inputs: Any, units: Any) -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.random((inputs, units), np.float32), rng.random(units, np.float32)
    place = layout(inputs, units, 32)
    arena = aligned_zeros(place.end)
    pack(place, kernel, bias, arena)
    unpacked_kernel, unpacked_bias = unpack(place, arena)
    np.testing.assert_array_equal(bits(unpacked_kernel), bits(kernel))
    np.testing.assert_array_equal(bits(unpacked_bias), bits(bias))


def test_padding_is_zero_and_nothing_is_written_outside() -> None:
    place = layout(3, NR + 1, 16)
    arena = aligned_zeros(place.end + 16)
    pack(place, np.ones((3, NR + 1), np.float32), np.ones(NR + 1, np.float32), arena)
    assert arena.sum() == 3 * (NR + 1) + NR + 1
    assert not arena[:16].any()
    assert not arena[place.end :].any()


def test_weights_in_any_layout_pack_the_same() -> None:
    kernel = np.random.default_rng(0).random((20, 50), np.float32)
    place = layout(20, 50, 0)
    one, other = aligned_zeros(place.end), aligned_zeros(place.end)
    pack(place, kernel, None, one)
    pack(place, np.asfortranarray(kernel), None, other)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("count", [1, 16, 1000])
def test_an_arena_starts_at_a_cache_line(count: Any) -> None:
    arena = aligned_zeros(count)
    assert len(arena) == count
    assert arena.ctypes.data % 64 == 0


@pytest.mark.parametrize("width", [1, 16, NR, NR + 1, 512, 784, 4096])
def test_rows_are_whole_panels_and_an_odd_number_of_cache_lines_apart(width: Any) -> None:
    stride = row_stride(width)
    assert stride >= -(-width // NR) * NR
    assert stride % 16 == 0
    assert stride // 16 % 2 == 1


@pytest.mark.parametrize("elements", [16, 1000, 10_000, 10_000_000])
def test_a_block_of_rows_is_whole_tiles(elements: Any) -> None:
    assert row_block(elements) % MR == 0
    assert row_block(elements) >= MR


def test_a_pass_stops_at_blocks_of_the_contract() -> None:
    assert inputs_per_pass(MR, 1000) == 1000
    assert inputs_per_pass(MR + 1, 1000) % KB == 0

from typing import Any

import numpy as np
import pytest

from numbatch.kernels.arena import aligned_zeros
from numbatch.kernels.packing import layout, pack, pack_bias, unpack
from numbatch.kernels.target import NR
from support.layers import bits


def as_bfloat16(kernel: Any) -> Any:
    """The numbers with their lower halves cut off."""
    return (bits(kernel) & np.uint32(0xFFFF0000)).view(np.float32)


@pytest.mark.parametrize("bf16", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize("units", [1, NR - 1, NR, NR + 1, 3 * NR + 5])
@pytest.mark.parametrize("inputs", [1, 7, 300])
def test_what_is_packed_can_be_unpacked(inputs: Any, units: Any, bf16: Any) -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.standard_normal((inputs, units)).astype(np.float32), rng.random(units, np.float32)
    kernel = as_bfloat16(kernel) if bf16 else kernel
    place = layout(inputs, units, 32, bf16=bf16)
    arena = aligned_zeros(place.end)
    pack(place, kernel, arena)
    pack_bias(place, bias, arena)
    unpacked_kernel, unpacked_bias = unpack(place, arena)
    np.testing.assert_array_equal(bits(unpacked_kernel), bits(kernel))
    np.testing.assert_array_equal(bits(unpacked_bias), bits(bias))


def test_padding_is_zero_and_nothing_is_written_outside() -> None:
    place = layout(3, NR + 1, 16)
    arena = aligned_zeros(place.end + 16)
    pack(place, np.ones((3, NR + 1), np.float32), arena)
    pack_bias(place, np.ones(NR + 1, np.float32), arena)
    assert arena.sum() == 3 * (NR + 1) + NR + 1
    assert not arena[:16].any()
    assert not arena[place.end :].any()


def test_weights_in_any_layout_pack_the_same() -> None:
    kernel = np.random.default_rng(0).random((20, 50), np.float32)
    place = layout(20, 50, 0)
    one, other = aligned_zeros(place.end), aligned_zeros(place.end)
    pack(place, kernel, one)
    pack(place, np.asfortranarray(kernel), other)
    np.testing.assert_array_equal(one, other)


def test_bfloat16_takes_half_the_memory() -> None:
    assert layout(1000, 96, 0, bf16=True).end < 0.51 * layout(1000, 96, 0).end

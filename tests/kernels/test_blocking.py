"""Shapes -> blocks: pure decisions, table by table."""

from typing import Any

import pytest

from numbatch.kernels.blocking import (
    ALONE,
    BY_PANELS,
    BY_ROWS,
    example_block,
    panel_shares,
    reads_well,
    row_stride,
    shared_block,
    sharing,
)
from numbatch.kernels.target import NR, TARGET

MR = TARGET.mr


@pytest.mark.parametrize("width", [1, 16, NR, NR + 1, 512, 784, 4096])
def test_rows_are_whole_panels_and_an_odd_number_of_cache_lines_apart(width: Any) -> None:
    stride = row_stride(width)
    assert stride >= -(-width // NR) * NR
    assert stride % 16 == 0
    assert stride // 16 % 2 == 1


@pytest.mark.parametrize(("width", "well"), [(10, True), (784, True), (1000, True), (1024, False), (4096, False)])
def test_rows_that_fall_into_one_cache_set_are_not_read_where_they_lie(width: Any, well: Any) -> None:
    assert reads_well(width) is well


@pytest.mark.parametrize(
    ("rows", "elements", "least", "most"),
    [
        (1, 100, 15 * MR, 200),  # enough to read weights once for many rows
        (10, 100, 1, 20),  # examples of 10 rows
        (10**6, 10**6, 1, 1),  # an example is never split
        (1, 2**21, 1, 8),  # 64 MiB of activations
    ],
)
def test_how_many_examples_go_through_a_network_at_a_time(rows: Any, elements: Any, least: Any, most: Any) -> None:
    block = example_block(rows, elements)
    assert least <= block <= most
    assert block < MR or block % MR == 0


@pytest.mark.parametrize(
    ("rows", "weights", "threads", "mode"),
    [
        (1000, 10**6, 1, ALONE),  # nobody is there to help
        (1, 45, 2, ALONE),  # done before anybody could come
        (1, 10**6, 2, BY_PANELS),  # one row cannot be split
        (64, 10**6, 2, BY_PANELS),  # the weights would be read twice
        (1000, 10**6, 2, BY_ROWS),
        (64, 50_000, 2, BY_ROWS),  # weights that stay in cache may be read twice
        (1000, 10**6, 64, BY_PANELS),  # too few rows for each
    ],
)
def test_how_threads_share(rows: Any, weights: Any, threads: Any, mode: Any) -> None:
    assert sharing(rows, weights, 1000, threads) == mode


def test_rows_beyond_a_block_are_shared_by_rows() -> None:
    assert sharing(65, 10**6, 64, 64) == BY_ROWS


@pytest.mark.parametrize(
    ("rows", "threads", "block"), [(200, 1, 100), (192, 1, 192), (400, 2, 100), (300, 2, 150), (1, 1, 1)]
)
def test_blocks_are_as_large_as_each_other(rows: Any, threads: Any, block: Any) -> None:
    assert shared_block(rows, 192, threads) == block


def test_a_layer_is_split_only_where_a_share_is_worth_fetching() -> None:
    assert panel_shares(1, 10**6, 100, 2) == 1
    assert panel_shares(4, 64 * 64, 1, 2) == 1
    assert panel_shares(64, 10**6, 1, 2) == 4

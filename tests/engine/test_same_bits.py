"""The same row gives the same bits: in any batch, at any place in it, with any number of threads, at every layer."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from numbatch.engine import compute_threads, load_model, set_compute_threads
from numbatch.engine.threads import compute_team
from numbatch.kernels.blocking import ALONE, BY_PANELS, BY_ROWS
from numbatch.kernels.target import TARGET
from numbatch.kernels.team import OFFERS
from support.layers import bits
from support.networks import NARROW, WIDE, by_hand, drawn, how_shared, network

TILES = 3 * TARGET.mr + 1
SIZES = [*range(1, TILES + 1), 45, 130, 400]
# The last is copied before it is read, but for a single row, and writes its output where the caller has it.
EVEN = ([1024, 400, 64, 48], ["silu", "relu", "sigmoid"])
NETWORKS = {"wide": WIDE, "narrow": NARROW, "even": EVEN}
LAYERS = ["dense", "dense_1", "dense_2"]

pytestmark = pytest.mark.usefixtures("number_of_threads_kept")


@cache
def loaded(name: str, precision: str) -> Any:
    return load_model(network(*NETWORKS[name]), weights_precision=precision)


@cache
def rows_of(name: str) -> Any:
    return drawn("rows", max(SIZES), NETWORKS[name][0][0]) * np.float32(4)


@cache
def expected(name: str, precision: str) -> Any:
    """What the oracle gives for every row, layer beside layer."""
    outputs = by_hand(loaded(name, precision).message(), rows_of(name))
    return np.concatenate([outputs[layer] for layer in LAYERS], axis=1)


def every_layer(model: Any, x: Any) -> Any:
    return np.concatenate(list(model.infer(x, layers=LAYERS).values()), axis=-1)


@pytest.fixture(params=[1, 2, 3], ids=lambda threads: f"{threads} threads")
def threads(request: Any) -> int:
    set_compute_threads(request.param)
    assert compute_threads() == request.param
    return int(request.param)


precisions = pytest.mark.parametrize("precision", ["f32", "bf16"])
networks = pytest.mark.parametrize("name", NETWORKS)


@precisions
@networks
def test_every_batch_size_gives_a_row_the_bits_of_the_oracle(name: str, precision: str, threads: int) -> None:
    model, x, z = loaded(name, precision), rows_of(name), expected(name, precision)
    for rows in SIZES:
        np.testing.assert_array_equal(bits(every_layer(model, x[:rows])), bits(z[:rows]), err_msg=f"{rows} rows")


@precisions
@networks
def test_every_place_in_a_batch_gives_a_row_its_bits(name: str, precision: str, threads: int) -> None:
    model, x, z = loaded(name, precision), rows_of(name)[:TILES], expected(name, precision)[:TILES]
    for shift in range(TILES):
        got = every_layer(model, np.roll(x, shift, axis=0))
        np.testing.assert_array_equal(bits(got), bits(np.roll(z, shift, axis=0)), err_msg=f"{shift} places further")


@precisions
@networks
def test_a_row_alone_has_its_bits(name: str, precision: str, threads: int) -> None:
    model, x, z = loaded(name, precision), rows_of(name), expected(name, precision)
    for row in range(0, len(x), 7):
        np.testing.assert_array_equal(bits(every_layer(model, x[row])), bits(z[row]), err_msg=f"row {row}")


@precisions
@networks
@pytest.mark.parametrize("rows", SIZES[-3:])
def test_neighbours_in_any_order_leave_a_row_its_bits(name: str, rows: int, precision: str, threads: int) -> None:
    model, x, z = loaded(name, precision), rows_of(name), expected(name, precision)
    for seed in range(5):
        chosen = np.random.default_rng(seed).choice(len(x), rows)
        np.testing.assert_array_equal(bits(every_layer(model, x[chosen])), bits(z[chosen]))


@precisions
@networks
def test_one_layer_asked_for_has_the_bits_that_it_has_among_all(name: str, precision: str, threads: int) -> None:
    model, x = loaded(name, precision), rows_of(name)
    for rows in (1, TILES, 400):
        together = model.infer(x[:rows], layers=LAYERS)
        for layer in LAYERS:
            alone = model.infer(x[:rows], layers=[layer])[layer]
            np.testing.assert_array_equal(bits(alone), bits(together[layer]))


def test_threads_do_share_these_batches_in_both_ways(threads: int) -> None:
    modes = {how_shared(widths, rows, threads) for widths, _ in NETWORKS.values() for rows in SIZES}
    assert modes == ({ALONE} if threads == 1 else {ALONE, BY_ROWS, BY_PANELS})
    table = compute_team().table
    for rows in (1, 400):  # by panels, by rows
        before = table[OFFERS]
        loaded("wide", "f32").infer(rows_of("wide")[:rows])
        assert table[OFFERS] - before == (threads > 1)

"""Graphs of every kind of layer: the bits of the oracle at every layer, whatever they are computed with."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from numbatch.engine import load_model, set_compute_threads
from numbatch.kernels.target import TARGET
from support import numpy_model
from support.graphs import GRAPHS, by_oracle, digest_of_graphs, examples
from support.instruction_sets import FORCED, can_run, printed_by
from support.layers import bits

ROWS = 230
SIZES = [1, 2, 3, 5, TARGET.mr - 1, TARGET.mr, TARGET.mr + 1, 2 * TARGET.mr + 1, 97, ROWS]
DIGEST = "5bff8f3793281d29e9e2929adffe4b627026bcc6c234b965c92569ff1ac47961"

pytestmark = pytest.mark.usefixtures("number_of_threads_kept")
graphs = pytest.mark.parametrize("name", GRAPHS)


@cache
def loaded(name: str) -> Any:
    return load_model(GRAPHS[name]())


@cache
def batch(name: str) -> Any:
    return examples(GRAPHS[name](), ROWS)


@cache
def expected(name: str) -> Any:
    return by_oracle(GRAPHS[name](), batch(name))


def rows_of(name: str, start: int, stop: int) -> Any:
    return {key: value[start:stop] for key, value in batch(name).items()}


@graphs
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_batch_size_gives_every_layer_the_bits_of_the_oracle(name: str, threads: int) -> None:
    set_compute_threads(threads)
    for rows in SIZES:
        got = loaded(name).infer(rows_of(name, 0, rows), layers=list(expected(name)))
        for layer, z in expected(name).items():
            np.testing.assert_array_equal(bits(got[layer]), bits(z[:rows]), err_msg=f"{layer}, {rows} rows")


@graphs
def test_a_row_alone_has_its_bits(name: str) -> None:
    for row in range(0, ROWS, 19):
        got = loaded(name).infer(rows_of(name, row, row + 1), layers=list(expected(name)))
        for layer, z in expected(name).items():
            np.testing.assert_array_equal(bits(got[layer]), bits(z[row : row + 1]), err_msg=f"{layer}, row {row}")


@graphs
@pytest.mark.parametrize("rows", [1, 50])
def test_a_layer_has_the_same_bits_whatever_is_asked_for_beside_it(name: str, rows: int) -> None:
    layers = list(expected(name))
    for position, layer in enumerate(layers):
        for asked in ([layer], [layer, layers[position - 1]], [layers[0], layer][: 1 + (position > 0)]):
            got = loaded(name).infer(rows_of(name, 0, rows), layers=asked)
            for each in asked:
                np.testing.assert_array_equal(bits(got[each]), bits(expected(name)[each][:rows]), err_msg=str(asked))


@graphs
def test_every_layer_is_what_float64_makes_of_it(name: str) -> None:
    """The oracle shares the contract's formulas with the kernels; NumPy shares nothing."""
    exact = numpy_model.run(GRAPHS[name](), batch(name))
    for layer, z in expected(name).items():
        np.testing.assert_allclose(z, exact[layer], rtol=0, atol=2e-6 * max(1.0, np.abs(exact[layer]).max()))


@graphs
def test_a_loaded_model_gives_its_message_back(name: str) -> None:
    assert loaded(name).message() == GRAPHS[name]()


@pytest.mark.parametrize("threads", [1, 2])
def test_graphs_have_the_committed_bits(threads: int) -> None:
    """Bits of `f32-1` are a promise. If this fails, the contract has changed and needs a new name."""
    assert digest_of_graphs(threads) == DIGEST


@pytest.mark.parametrize("name", FORCED)
def test_graphs_have_the_committed_bits_with_another_instruction_set(name: Any) -> None:
    if not can_run(name):
        pytest.skip(f"this processor cannot run {name} code")
    script = "from support.graphs import digest_of_graphs; print(digest_of_graphs(1))"
    assert printed_by(script, **FORCED[name]).split() == [DIGEST]

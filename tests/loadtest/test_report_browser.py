"""The page in a real browser: nothing is cut off, nothing covers anything, light and dark are what they say."""

import pytest

from numbatch.loadtest.report import as_html
from numbatch.loadtest.results import Search, Trial
from support.browser import BROWSER, corner, looked_at
from support.load_results import closed_step, open_step, results

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")


@pytest.fixture(scope="module")
def pages() -> list[str]:
    """Few loads and many, close to each other and far apart, calm and not, with names that are short and long."""
    rates = [1000, 2000, 4000, 8000, 5657, 4757, 4362, 4177, 4177, 4177, 4087]
    trials = [Trial(rate=rate, held=rate < 4100, value=100.0 + rate) for rate in rates]
    return [
        as_html(results([open_step(3000, seconds=5.0, pause_s=1.0, mismatches=2)])),
        as_html(results([open_step(rate, seconds=1.0, repeat=n) for rate in range(500, 6501, 500) for n in range(3)])),
        as_html(results([open_step(rate, seconds=1.0) for rate in range(100, 4100, 100)], model="m" * 128)),
        as_html(results([closed_step(2**n, seconds=1.0) for n in range(9)])),
        as_html(
            results(
                [open_step(rate, seconds=1.0) for rate in rates],
                search=Search(objective="p99<4.5ms, errors<0.1%", max_rate=4087, trials=trials),
            )
        ),
    ]


@pytest.mark.parametrize("width", [1200, 390])
def test_every_label_can_be_read(pages: list[str], width: int) -> None:
    found = looked_at(pages, width)
    assert [page["pictures"] for page in found] == [5, 6, 5, 5, 7]
    assert [(page["cut"], page["covered"], page["wide"]) for page in found] == [([], [], 0)] * len(pages)


def test_it_is_dark_for_those_who_like_it_dark(pages: list[str]) -> None:
    assert min(corner(pages[0], dark=False)) > 220
    assert max(corner(pages[0], dark=True)) < 50

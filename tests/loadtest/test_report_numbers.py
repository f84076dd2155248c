"""How figures are written, and which of them an axis names."""

import math

import pytest

from numbatch.loadtest.report import drawing, quantities
from numbatch.loadtest.report.scales import Linear, Log, around, from_zero, round_up


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0.0, "0 us"),
        (0.0412, "0.0412 us"),
        (38.04, "38.0 us"),
        (412.4, "412 us"),
        (999.4, "999 us"),
        (999.6, "1.00 ms"),  # not "1,000 us"
        (3421.0, "3.42 ms"),
        (99_960.0, "100 ms"),
        (1_270_000.0, "1.27 s"),
        (3.6e9, "3,600 s"),
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
    ],
)
def test_times_have_three_digits_and_the_unit_that_fits(us: float | None, text: str) -> None:
    assert quantities.duration(us) == text


@pytest.mark.parametrize(("us", "text"), [(0.0, "0"), (500.0, "500 us"), (1500.0, "1.5 ms"), (2e6, "2 s")])
def test_an_axis_says_times_as_short_as_it_can(us: float, text: str) -> None:
    assert quantities.tick(us) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5 s"), (10, "10 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h")]
)
def test_a_span_is_said_as_one_says_it(value: float, text: str) -> None:
    assert quantities.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(4000.0, "4,000"), (61_234.4, "61,234"), (12.34, "12.3"), (0.0, "0"), (3.0, "3")]
)
def test_rates_keep_their_digits_apart(value: float, text: str) -> None:
    assert quantities.amount(value) == text
    assert quantities.rate(value) == f"{text}/s"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 10, "0 %"),
        (10, 10, "100 %"),
        (1, 1_000_000, "< 0.01 %"),  # not none
        (999_999, 1_000_000, "> 99.99 %"),  # not all
        (1, 200, "0.50 %"),
        (1, 8, "12.5 %"),
        (0, 0, "-"),
    ],
)
def test_what_is_not_none_or_all_never_looks_like_it(part: int, whole: int, text: str) -> None:
    assert quantities.share(part, whole) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "0.0 %"),
        (1.0004, "0.0 %"),
        (1.042, "+4.2 %"),
        (0.88, "-12 %"),
        (1.999, "+100 %"),
        (2.0, "x 2"),
        (31.4, "x 31.4"),
    ],
)
def test_changes_are_per_cent_until_they_are_a_multiple(ratio: float, text: str) -> None:
    assert quantities.change(ratio) == text


def test_a_linear_axis_names_round_values_inside_it() -> None:
    assert Linear(0, 6500, 0, 100).ticks(6) == [0, 2000, 4000, 6000]
    assert Linear(0, 1, 0, 100).ticks(5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_logarithmic_axis_names_fewer_values_the_more_it_spans() -> None:
    assert Log(300, 30_000, 0, 100).ticks(7) == pytest.approx([500, 1000, 2000, 5000, 10_000, 20_000])
    assert Log(1, 1e8, 0, 100).ticks(9) == pytest.approx([10.0**power for power in range(9)])


def test_scales_end_where_the_picture_ends() -> None:
    x = Log(10, 1000, 0, 100)
    assert [x(value) for value in (1, 10, 100, 1000, 1e9)] == pytest.approx([0, 0, 50, 100, 100])
    y = Linear(0, 10, 100, 0)  # upwards
    assert [y(value) for value in (-1, 0, 5, 10, 11)] == [100, 100, 50, 0, 0]


def test_scales_of_next_to_nothing_are_scales() -> None:
    assert from_zero(0.0, 0, 100).high == 1.0
    for values in ([], [0.0], [5.0], [5.0, 5.0], [math.inf]):
        scale = around(values, 0, 100)
        assert 0 < scale.low < scale.high < math.inf
        assert scale(5.0) >= 0


@pytest.mark.parametrize(("value", "rounded"), [(0.03, 0.05), (1, 1), (1.01, 2), (2.1, 5), (7, 10), (650, 1000)])
def test_rounding_up_goes_to_1_2_5(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)


def test_labels_are_moved_apart_as_little_as_it_takes() -> None:
    assert drawing.spread_out([10, 50, 90], 14, 0, 100) == [10, 50, 90]
    assert drawing.spread_out([50, 52, 51], 14, 0, 100) == [50, 78, 64]
    assert drawing.spread_out([99, 98, 97], 14, 0, 100) == [100, 86, 72]

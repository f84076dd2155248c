"""Loads as people write them."""

import pytest

from numbatch.loadtest.steps import parse_counts, parse_steps


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ("500", [500.0]),
        ("500,1000,0.5", [500.0, 1000.0, 0.5]),
        ("500:2000:500", [500.0, 1000.0, 1500.0, 2000.0]),
        ("500:1900:500", [500.0, 1000.0, 1500.0]),  # the end need not be met
        ("0.1:0.3:0.1", [0.1, 0.2, pytest.approx(0.3)]),  # nor is it missed by rounding
        ("1:64:x2", [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        ("100:1000:x10", [100.0, 1000.0]),
        ("1,10:20:10", [1.0, 10.0, 20.0]),
        ("7:7:1", [7.0]),
    ],
)
def test_loads(text: str, loads: list[float]) -> None:
    assert parse_steps(text) == loads


@pytest.mark.parametrize(
    "text",
    ["", "many", "0", "-5", "nan", "inf", "1,", "1:2", "1:2:3:4", "5:1:1", "1:5:x1", "1:5:0", "1:5:x", "1:1e9:1"],
)
def test_what_is_no_load_is_refused_as_it_was_written(text: str) -> None:
    with pytest.raises(ValueError, match="^got ") as refused:
        parse_steps(text)
    assert repr(text) in str(refused.value)


def test_counts_are_whole() -> None:
    assert parse_counts("1:4:x2") == [1, 2, 4]
    with pytest.raises(ValueError, match="expected whole numbers"):
        parse_counts("1.5")

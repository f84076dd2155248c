"""Arrays as text."""

import numpy as np

from numbatch.cli import drawing


def test_an_image_is_two_characters_to_a_pixel() -> None:
    assert drawing.image(np.array([[0, 4, 8], [12, 16, 20]]), 16) == ["  ░░▒▒", "▓▓████"]


def test_columns_go_from_the_lowest_to_the_highest_value() -> None:
    assert drawing.columns(np.arange(8)) == "▁▂▃▄▅▆▇█"
    assert drawing.columns(np.array([[-1.0, 1.0], [0.0, 1.0]])) == "▁█▅█"


def test_equal_values_are_all_low() -> None:
    assert drawing.columns(np.full(3, 7.0)) == "▁▁▁"


def test_bars_are_as_long_as_their_share() -> None:
    half, whole = drawing.bars(["a", "bc"], np.array([0.5, 1.0]))
    assert half == " a " + "█" * 15 + " " * 15 + "  50.0%"
    assert whole == "bc " + "█" * 30 + " 100.0%"

"""The table at a terminal."""

import numpy as np

from numbatch.cli.preview import preview


def test_numbers_are_aligned_and_cut_to_the_width() -> None:
    outputs = {
        "a": np.array([[1, -2.5, 3e-7], [10, 0.125, 4]], np.float32),
        "b": np.array([[[1], [2]]] * 2, np.float32),
    }
    assert preview(outputs, 80).splitlines() == [
        "a [3]",
        "  0      1   -2.5  3e-07",
        "  1     10  0.125      4",
        "b [2, 1]",
        "  0  1  2",
        "  1  1  2",
    ]
    assert preview(outputs, 24).splitlines()[:2] == ["a [3]", "  0      1   -2.5  ..."]
    assert all(len(line) <= 24 for line in preview(outputs, 24).splitlines())

"""Floor 1: the arithmetic. Arrays of float32 in, arrays of float32 out; it knows no model, no message and no thread."""

import os

from numbatch.kernels import levels

levels.choose(os.environ)  # before anything here imports Numba, which looks there once

"""Where the demo's models are: inside an installed package, or in models/ of a checkout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.cli.exits import CommandError

MODEL = "digits"
IMAGE_SIDE = 8
GREY_LEVELS = 16

# server/numbatch/cli/demo_models.py is three folders below the root of a checkout.
_CANDIDATES = (Path(__file__).parent / "demo_models", Path(__file__).parents[3] / "models")


@dataclass(frozen=True)
class HeldOut:
    """Images that the model was not trained with: of shape (n, 64), and the digit that each shows, of shape (n,)."""

    path: Path
    pixels: npt.NDArray[Any]
    labels: npt.NDArray[Any]


def demo_repository() -> Path:
    """Return the model repository that the demo serves."""
    for folder in _CANDIDATES:
        if (folder / MODEL / "1").is_dir():
            return folder
    looked_in = " and ".join(map(str, _CANDIDATES))
    raise CommandError(f"the demo's model is not in this installation (looked in {looked_in}): install numbatch again")


def held_out() -> HeldOut:
    """Return the held-out images."""
    path = demo_repository() / MODEL / "heldout.npz"
    with np.load(path, allow_pickle=False) as arrays:
        return HeldOut(path, arrays["pixels"], arrays["labels"])

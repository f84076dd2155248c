"""Train the example model, which says what digit is on a scanned image of 8 x 8 pixels.

The data are the 1797 digits that scikit-learn carries (a part of the UCI set "Optical Recognition of Handwritten
Digits"), so nothing is downloaded. 1437 train the network, 360 are held out, with the same share of each digit in both.

    python models/train_digits.py

writes, beside this file, `digits/1/model.binpb` and the held-out images, `digits/heldout.npz`. The same versions of the
libraries on the same kind of processor give the same bytes again.
"""

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model

HELD_OUT = 360
SEED = 1797
HIDDEN = (64, 32)

# The scanner's grey levels are 0 to 16, and a network trains best on about 0 to 1. The division is moved into the first
# kernel after training, so that the model takes images as they are; by a power of two it is exact.
GREY_LEVELS = 16

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Digits:
    """Images of shape (n, 64), row by row, grey levels 0 (white) to 16 (black), and the digits that they show."""

    pixels: Pixels
    labels: npt.NDArray[np.uint8]


def split_digits() -> tuple[Digits, Digits]:
    """Return the digits to train with and the held-out ones; the same ones at every call."""
    pixels, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels.astype(np.uint8), labels.astype(np.uint8), test_size=HELD_OUT, stratify=labels, random_state=SEED
    )
    return Digits(train_x, train_y), Digits(test_x, test_y)


def train(digits: Digits, *, epochs: int = 120) -> Any:
    """Return a scikit-learn classifier trained on these digits."""
    classifier = MLPClassifier(
        HIDDEN,
        alpha=0.01,
        batch_size=32,
        learning_rate_init=0.002,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=SEED,
    )
    # One thread: the sums of a matrix product then always come in the same order.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is fixed on purpose
        classifier.fit((digits.pixels / GREY_LEVELS).astype(np.float32), digits.labels)
    return classifier


def accuracy(classifier: Any, digits: Digits) -> float:
    """Return the share of digits that a classifier gets right, 0 to 1."""
    return float(classifier.score((digits.pixels / GREY_LEVELS).astype(np.float32), digits.labels))


def to_model(classifier: Any, held_out: Digits) -> Model:
    """Return the message that describes a trained classifier."""
    first, *others = classifier.coefs_
    kernels = [first / GREY_LEVELS, *others]
    names = [f"hidden_{i + 1}" for i in range(len(others))] + ["probabilities"]
    activations = ["relu"] * len(others) + ["softmax"]
    model = Sequential([Input(held_out.pixels.shape[1:], name="pixels")])
    for name, activation, kernel, bias in zip(names, activations, kernels, classifier.intercepts_, strict=True):
        model.add(Dense(kernel.shape[1], activation, weights=[kernel, bias], name=name))
    return model.to_message(
        "digits",
        description="Which digit is on a scanned image of 8 x 8 pixels, grey levels 0 (white) to 16 (black).",
        metadata={
            "classes": ",".join(str(label) for label in classifier.classes_),
            "heldout_accuracy": f"{accuracy(classifier, held_out):.4f}",
            "training_data": "1437 of the 1797 images of sklearn.datasets.load_digits",
            "trained_by": f"models/train_digits.py, scikit-learn {sklearn.__version__}, NumPy {np.__version__}",
        },
    )


def write(folder: Path, model: Model, held_out: Digits) -> None:
    """Write the model and the held-out images under a model's folder."""
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "1" / "model.binpb").write_bytes(model.SerializeToString(deterministic=True))
    np.savez_compressed(folder / "heldout.npz", pixels=held_out.pixels, labels=held_out.labels)


def main() -> None:
    """Train, print the accuracy, write."""
    parser = argparse.ArgumentParser(description="Train the example model on scikit-learn's digits.")
    default = Path(__file__).parent / "digits"
    parser.add_argument("--output", type=Path, default=default, help="the model's folder (default: %(default)s)")
    folder = parser.parse_args().output
    training, held_out = split_digits()
    classifier = train(training)
    write(folder, to_model(classifier, held_out), held_out)
    print(f"accuracy on {HELD_OUT} held-out images: {accuracy(classifier, held_out):.4f}; wrote {folder}")


if __name__ == "__main__":
    main()

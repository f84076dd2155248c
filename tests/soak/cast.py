"""The models that are served, what is sent to them, and what must come back: computed here, by the engine alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.engine import load_model
from numbatch.models import Activation, Dense, Input, Sequential, Softmax
from numbatch.v1.model_pb2 import Model
from support.server import write_model
from support.tiny import tiny_model

ROWS = (1, 1, 1, 1, 2, 3, 5, 8, 13, 31, 32, 33, 64, 100, 300, 1500)
VERSIONS = 4

LIMITED, MOST_IN_FLIGHT = "limited", 40
UNREAD = "unread"

_EACH = 4  # minibatches of each size


@dataclass(frozen=True)
class Question:
    """A minibatch, the layers that are wanted, and the right answer, bit by bit."""

    model: str
    x: Any
    layers: Sequence[str]
    answer: dict[str, bytes]


def served() -> list[Model]:
    """Return the models that stay as they are."""
    wide = [
        Dense(33, "tanh", name="hidden"),
        Dense(64, "gelu_erf"),
        Dense(7, name="out"),
        Softmax(name="probabilities"),
    ]
    deep = [Dense(units, "relu") for units in (128, 256, 128, 64)] + [Activation("sigmoid", name="end")]
    return [
        Sequential([Input((40,)), *wide], seed=3).to_message("wide"),
        Sequential([Input((96,)), *deep], seed=4).to_message("deep"),
        tiny_model(),
        tiny_model(LIMITED),
        tiny_model(UNREAD),
        tiny_model("swapped", factor=1.0),
    ]


def write_repository(folder: Path) -> None:
    """Write the models into a repository; one has a queue that is soon full, another has room for anything."""
    for model in served():
        write_model(folder, model)
    (folder / UNREAD / "settings.txtpb").write_text(f"batching {{ max_queued_rows: {2**24} }}\n")
    (folder / LIMITED / "settings.txtpb").write_text(f"batching {{ max_in_flight: {MOST_IN_FLIGHT} }}\n")


def questions(seed: int) -> list[Question]:
    """Return what is asked again and again."""
    rng = np.random.default_rng(seed)
    found = []
    for model in served()[:3]:
        alone = load_model(model)
        names = [layer.name for layer in alone.summary.layers]
        for rows in sorted(set(ROWS)):
            for number in range(_EACH):
                x = rng.standard_normal((rows, *alone.summary.inputs[0].shape), np.float32)
                layers = [names[-1:], names, names[:1], [names[-1], names[0]]][number]
                answer = {name: array.tobytes() for name, array in alone.infer(x, layers=layers).items()}
                found.append(Question(model.name, x, layers, answer))
    return found

"""A small model whose outputs can be computed in one's head."""

import numpy as np

from numbatch.engine import load_model
from numbatch.models import Activation, Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model


def tiny_model(name: str = "tiny", factor: float = 2.0) -> Model:
    """Return a model of two features: "scaled" (factor x), then "positive", its relu, the output."""
    scaled = Dense(2, weights=[np.eye(2) * factor], use_bias=False, name="scaled")
    model = Sequential([Input((2,)), scaled, Activation("relu", name="positive")]).to_message()
    model.name = name  # which may be none: tests ask for such
    return model


TINY = load_model(tiny_model())

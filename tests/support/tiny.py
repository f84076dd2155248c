"""A small model whose outputs can be computed in one's head."""

import numpy as np

from numbatch.engine import load_model
from numbatch.v1.model_pb2 import Model
from numbatch.wire.models import activation, dense, sequential


def tiny_model(name: str = "tiny", factor: float = 2.0) -> Model:
    """Return a model of two features: "scaled" (factor x), then "positive", its relu, the output."""
    scaled = dense(2, name="scaled", kernel=np.eye(2) * factor, use_bias=False)
    return sequential(name, [2], [scaled, activation("relu", name="positive")])


TINY = load_model(tiny_model())

"""A network of many kinds: what a recommender is like."""

import math

import numpy as np

from numbatch.v1.model_pb2 import Model
from numbatch.wire.graph import GraphWriter
from numbatch.wire.tensors import Float32Array


def tower(name: str = "tower", *, seed: int = 1, units: int = 24) -> Model:
    """Numbers beside a user's row and the words of a text, through a residual block, to a score and a kind."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> Float32Array:
        return (rng.standard_normal(shape) / math.sqrt(shape[0])).astype(np.float32)

    graph = GraphWriter(name)
    x, user, words = (
        graph.input("x", [8]),
        graph.input("user", [1], integer=True),
        graph.input("words", [6], integer=True),
    )
    who = graph.flatten(graph.embedding(user, 7 * drawn(50, 8), name="users"), name="who")
    text = graph.embedding(words, 7 * drawn(30, 8), pooling="mean", padding_id=0, name="text")
    all_ = graph.concatenate([x, who, text], name="together")
    y = graph.layer_normalization(all_, np.ones(24), np.zeros(24), epsilon=1e-5, name="norm")
    block = graph.dense(y, drawn(24, units), drawn(units), "gelu_erf", name="wide")
    block = graph.dense(block, drawn(units, 24), drawn(24), name="narrow")
    y = graph.add([y, block], name="residual")
    score = graph.dense(y, drawn(24, 1), drawn(1), name="score")
    return graph.model([score, graph.dense(y, drawn(24, 3), None, "softmax", name="kind")])

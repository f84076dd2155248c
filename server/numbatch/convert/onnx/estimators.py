"""Operators of `ai.onnx.ml` that are dense algebra: what scikit-learn's exporters write."""

import json

import numpy as np

from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.graph import Symbol

_TRANSFORMS = {"NONE": "linear", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}


def scaler(t: Translation, node: Node) -> Symbol:
    """Translate (x - offset) scale."""
    x = t.numbers(node)
    arrays = {
        "mean": np.array(node.attribute("offset", [0.0])),
        "variance": np.ones(1),
        "scale": np.array(node.attribute("scale", [1.0])),
    }
    write = t.writer.batch_normalization
    return t.featurewise(node, x, arrays, lambda y, name, rows: write(y, **rows, epsilon=0.0, name=name))


def linear_regressor(t: Translation, node: Node) -> Symbol:
    """Translate a dense layer."""
    return _linear(t, node, node.name, node.attribute("targets", 1))


def linear_classifier(t: Translation, node: Node) -> list[Symbol | None]:
    """Translate the scores of a classifier; its labels are numbers or words that no layer gives."""
    labels = labels_of(node)
    if len(labels) != len(node.attribute("intercepts", [])):
        got = f"{len(labels)} labels, {len(node.attribute('intercepts', []))} rows of coefficients"
        raise node.refusal("it makes scores of one row for two labels", got=got, expected="a row for each label")
    return [None, _linear(t, node, node.outputs[1], len(labels))]


def labels_of(node: Node) -> list[int | str]:
    """Return the labels that a node gives to columns."""
    names = ("classlabels_ints", "classlabels_int64s", "classlabels_strings")
    return next((list(node.attribute(name)) for name in names if node.attribute(name)), [])


def classes(network: Network) -> dict[str, str]:
    """Return metadata: the classes whose probabilities the columns of the output are, if the graph names them."""
    found = [labels for node in network.nodes if node.op.startswith("ai.onnx.ml.") and (labels := labels_of(node))]
    return {"classes": json.dumps(found[-1])} if found else {}


def _linear(t: Translation, node: Node, name: str, units: int) -> Symbol:
    x = t.numbers(node)
    transform = node.attribute("post_transform", "NONE")
    if transform not in _TRANSFORMS:
        raise node.refusal("its post_transform", got=transform, expected=", ".join(_TRANSFORMS))
    kernel = np.array(node.attribute("coefficients", []), np.float32)
    if kernel.size != units * x.shape[-1]:
        got, expected = f"{kernel.size} coefficients", f"{units} rows of {x.shape[-1]}"
        raise node.refusal("its coefficients do not fit", got=got, expected=expected)
    intercepts = node.attribute("intercepts", [0.0] * units)
    return t.writer.dense(x, kernel.reshape(units, -1).T, intercepts, _TRANSFORMS[transform], name=name)

"""What the layers beside dense ones cost, and what ONNX Runtime takes for the same graphs, in one run.

    python -m benchmarks.graphs [--json FILE] [--seconds S]

One thread. Each graph is three blocks of a dense layer of so many inputs and units, and of what its name says;
`onnxruntime` is its time by ours, `plain` our time by that of the same dense layers with the ReLU inside.
"""

import argparse
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.timing import take_turns, warm_up
from numbatch.engine import load_model, set_compute_threads
from numbatch.wire.graph import GraphWriter, Symbol

BLOCKS = 3
WIDTHS, BATCHES = (64, 512), (1, 8, 64, 512)
GRAPHS = {
    "plain": "relu inside the dense layer",
    "separate": "dense, then relu as a layer",
    "batch_norm": "dense, batch normalisation, relu",
    "layer_norm": "dense, layer normalisation, relu",
    "residual": "dense with relu, added to what it took",
}


class Weights:
    """The weights of one width."""

    def __init__(self, width: int) -> None:
        rng = np.random.default_rng(0)
        self.width = width
        self.kernels = (rng.standard_normal((BLOCKS, width, width)) / np.sqrt(width)).astype(np.float32)
        self.vectors = rng.uniform(0.5, 1.5, (BLOCKS, 5, width)).astype(np.float32)


def ours(name: str, weights: Weights) -> Callable[[Any], Any]:
    """Return our form of a graph."""
    graph = GraphWriter(name)
    x = graph.input("x", [weights.width])
    for kernel, (bias, mean, variance, scale, offset) in zip(weights.kernels, weights.vectors, strict=True):
        x = _block(graph, name, x, kernel, bias, (mean, variance, scale, offset))
    return load_model(graph.model([x])).infer


def _block(graph: GraphWriter, name: str, x: Symbol, kernel: Any, bias: Any, statistics: Any) -> Symbol:
    y = graph.dense(x, kernel, bias, "relu" if name in ("plain", "residual") else "linear")
    if name == "residual":
        return graph.add([y, x])
    if name == "batch_norm":
        y = graph.batch_normalization(y, *statistics)
    elif name == "layer_norm":
        y = graph.layer_normalization(y, *statistics[2:])
    return y if name == "plain" else graph.activation(y, "relu")


def theirs(name: str, weights: Weights) -> Callable[[Any], Any]:
    """Return ONNX Runtime's form of a graph."""
    nodes, constants, x = [], [], "x"

    def constant(value: Any) -> str:
        constants.append(numpy_helper.from_array(value, f"c{len(constants)}"))
        return str(constants[-1].name)

    def node(kind: str, inputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"y{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    for kernel, (bias, mean, variance, scale, offset) in zip(weights.kernels, weights.vectors, strict=True):
        y = node("Gemm", [x, constant(kernel), constant(bias)])
        if name == "batch_norm":
            y = node("BatchNormalization", [y, *map(constant, (scale, offset, mean, variance))], epsilon=0.001)
        elif name == "layer_norm":
            y = node("LayerNormalization", [y, constant(scale), constant(offset)], epsilon=0.001)
        y = node("Relu", [y])
        x = node("Add", [y, x]) if name == "residual" else y
    shape = ["rows", weights.width]
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end in ("x", x)]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"x": batch})[0]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each width and batch")
    options = parser.parse_args()
    set_compute_threads(1)
    cells = [cell for width in WIDTHS for cell in _cells(Weights(width), options.seconds)]
    if options.json:
        options.json.write_text(json.dumps({"onnxruntime": onnxruntime.__version__, "cells": cells}, indent=1))


def _cells(weights: Weights, seconds: float) -> Iterator[dict[str, Any]]:
    made = {"ours": ours, "theirs": theirs}
    forms = {(who, name): make(name, weights) for who, make in made.items() for name in GRAPHS}
    for rows in BATCHES:
        x = np.random.default_rng(rows).standard_normal((rows, weights.width)).astype(np.float32)
        for name in GRAPHS:
            np.testing.assert_allclose(forms["ours", name](x), forms["theirs", name](x), rtol=1e-3, atol=1e-4)
        calls = {key: functools.partial(form, x) for key, form in forms.items()}
        us = take_turns(calls, warm_up(calls), seconds, threads=1)
        for name in GRAPHS:
            mine = us["ours", name]
            peer, plain = us["theirs", name] / mine, mine / us["ours", "plain"]
            print(f"{name:<11}{weights.width:>5}{rows:>5}{mine:>9.1f} us  onnxruntime {peer:5.2f}  plain {plain:5.2f}")
            yield {"graph": name, "width": weights.width, "rows": rows, "us": mine, "onnxruntime": peer, "plain": plain}


if __name__ == "__main__":
    main()

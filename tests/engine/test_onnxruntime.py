"""ONNX Runtime as an oracle that nobody here wrote: its Gemm sums in the order of `f32-1`, and every bit agrees.

It multiplies constant weights in blocks of 256 inputs, with fused multiply-adds from zero, and adds the blocks to the
bias in turn. That is no promise of its, so the version is pinned. Weights that are not constant it takes in blocks of
another size, and without AVX2 and FMA it rounds each product: there it proves nothing.
"""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from numbatch.engine import load_model
from numbatch.kernels.target import effective_features
from numbatch.models import Dense, Input, Sequential
from support.layers import bits

pytestmark = pytest.mark.skipif(
    not effective_features() >= {"avx2", "fma"}, reason="without AVX2 and FMA, ONNX Runtime sums in another way"
)

Layers = list[tuple[Any, Any, str]]  # the kernel, the bias and the activation of each


def draw(widths: list[int], activation: str) -> Layers:
    rng = np.random.default_rng(widths)
    shapes = zip(widths[:-1], widths[1:], strict=True)
    return [
        (
            (rng.standard_normal((inputs, units)) / np.sqrt(inputs)).astype(np.float32),
            rng.standard_normal(units).astype(np.float32),
            activation,
        )
        for inputs, units in shapes
    ]


def session_of(layers: Layers, threads: int) -> onnxruntime.InferenceSession:
    nodes, weights = [], []
    name, width = "x", len(layers[0][0])
    for i, (kernel, bias, activation) in enumerate(layers):
        weights += [numpy_helper.from_array(kernel, f"w{i}"), numpy_helper.from_array(bias, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], [f"z{i}"]))
        name = f"z{i}"
        if activation == "relu":
            nodes.append(helper.make_node("Relu", [name], [f"y{i}"]))
            name = f"y{i}"
    ends = [
        helper.make_tensor_value_info(end, TensorProto.FLOAT, ["rows", size])
        for end, size in (("x", width), (name, len(layers[-1][1])))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def assert_equals_onnxruntime(layers: Layers, batches: list[int]) -> None:
    width = len(layers[0][0])
    specs = [Dense(len(bias), activation, weights=[kernel, bias]) for kernel, bias, activation in layers]
    model = load_model(Sequential([Input((width,)), *specs]).to_message("net"))
    sessions = [session_of(layers, threads) for threads in (1, 2)]
    for rows in batches:
        x = np.random.default_rng(rows).standard_normal((rows, width)).astype(np.float32)
        got = model.infer(x)
        for session in sessions:
            np.testing.assert_array_equal(bits(got), bits(session.run(None, {"x": x})[0]))


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("units", [1, 10, 16, 33, 512])
@pytest.mark.parametrize("inputs", [1, 7, 64, 255, 256, 257, 512, 784, 1000, 2048])
def test_a_layer_gives_the_bits_of_onnxruntime(inputs: int, units: int, activation: str) -> None:
    assert_equals_onnxruntime(draw([inputs, units], activation), [1, 2, 5, 37, 200])


def test_a_network_gives_the_bits_of_onnxruntime() -> None:
    assert_equals_onnxruntime(draw([784, 512, 257, 33, 10], "relu"), [1, 3, 64, 500])

"""The network as ONNX: Gemm and activation for each layer, the weights constant, any number of rows."""

import onnx
from onnx import helper, numpy_helper

from benchmarks.grid import Network

INPUT, OUTPUT = "x", "y"


def onnx_bytes(network: Network) -> bytes:
    """Return the serialised model."""
    nodes, weights = [], []
    last, source = len(network.widths) - 2, INPUT
    for i, (kernel, bias) in enumerate(network.weights()):
        target = OUTPUT if i == last else f"y{i}"
        weights += [numpy_helper.from_array(kernel, f"w{i}"), numpy_helper.from_array(bias, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [source, f"w{i}", f"b{i}"], [f"z{i}"]))
        activation = "Identity" if i == last and network.output == "linear" else "Relu"
        nodes.append(helper.make_node(activation, [f"z{i}"], [target]))
        source = target
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", width])]
        for name, width in ((INPUT, network.widths[0]), (OUTPUT, network.widths[-1]))
    ]
    graph = helper.make_graph(nodes, "bench", ends[0], ends[1], weights)
    # Versions that every reader of the last years knows.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    serialized: bytes = model.SerializeToString()
    return serialized

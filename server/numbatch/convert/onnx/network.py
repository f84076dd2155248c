"""An ONNX graph in which what depends on constants only is computed: who makes each tensor, and who uses it."""

from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto

from numbatch.convert.onnx.folding import array_of, fold, is_foldable
from numbatch.convert.onnx.nodes import Node, read_node
from numbatch.wire.tensors import Array

# The types of elements that become float32.
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


class Network:
    """A graph to look things up in.

    Attributes
    ----------
    nodes : list of Node
        Those that do not depend on constants only, each after what it takes.
    inputs, outputs : dict of str to onnx.TypeProto
        What a caller must bring, and what the graph returns.
    constants : dict of str to ndarray
        All that is known; more may be added when the shapes of arrays are.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        opsets = {"" if each.domain == "ai.onnx" else each.domain: each.version for each in model.opset_import}
        graph = model.graph
        self.constants: dict[str, Array] = {each.name: array_of(each) for each in graph.initializer}
        self.inputs = {each.name: each.type for each in graph.input if each.name not in self.constants}
        self.outputs = {each.name: each.type for each in graph.output}
        self.nodes: list[Node] = []
        for node in (read_node(proto, opsets) for proto in graph.node):
            if is_foldable(node, self.constants):
                self.constants |= fold(node, self.constants)
            else:
                self.nodes.append(node)
        self._makers = {output: node for node in self.nodes for output in node.outputs if output}
        self._uses = Counter(name for node in self.nodes for name in node.inputs)

    def maker(self, tensor: str) -> Node | None:
        """Return the node that computes a tensor, past those that change nothing; None for an input or a constant."""
        return self._makers.get(self.source(tensor))

    def source(self, tensor: str) -> str:
        """Return the tensor that this one is a copy of, at whatever distance, or itself."""
        while tensor != (tensor := self._copied(tensor)):
            pass
        return tensor

    def constant(self, tensor: str) -> Array | None:
        """Return the value of a tensor, or None if it depends on the inputs."""
        return self.constants.get(self.source(tensor))

    def is_used_once(self, tensor: str) -> bool:
        """Return whether a single node sees a tensor, or copies of it, so that it may vanish into that one."""
        while self._uses[tensor] == 1 and tensor not in self.outputs:
            if tensor == (tensor := self._copied(tensor)):
                return True
        return False

    def users(self, tensor: str) -> list[Node]:
        """Return the nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]

    def is_transparent(self, node: Node) -> bool:
        """Return whether a node gives what it takes, at inference; floats of any width are one to us."""
        if node.op == "Dropout":  # since opset 12 it can be told to drop out at inference, too
            training = self.constants.get(node.inputs[2], np.True_) if node.has_input(2) else np.False_
            return not np.any(training)
        if node.op == "Cast":
            return node.attribute("to") in FLOATS
        if node.op == "ai.onnx.ml.Normalizer":  # after a softmax, scikit-learn's exporter divides by the sum of 1
            maker = self.maker(node.inputs[0])
            is_softmax = maker and (maker.op == "Softmax" or maker.attribute("post_transform") == "SOFTMAX")
            return bool(is_softmax and node.attribute("norm") == "L1")
        return node.op in ("Identity", "ai.onnx.ml.ZipMap")

    def _copied(self, tensor: str) -> str:
        node = self._makers.get(tensor)
        return node.inputs[0] if node and tensor == node.outputs[0] and self.is_transparent(node) else tensor

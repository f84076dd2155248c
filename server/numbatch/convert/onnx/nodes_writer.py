"""Collecting the nodes and constants of an ONNX graph, each under a name of its own."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from numbatch.engine.graph import Node
from numbatch.engine.weights import WeightsReader
from numbatch.wire.layers import parameters_of, weights_field
from numbatch.wire.tensors import Array

# A dense layer "x" with an activation is two nodes with "x/linear" between them; `from_onnx` makes one layer of them.
PRE_ACTIVATION = "linear"

Attribute = float | int | str


class NodesWriter:
    """Collects the nodes and the constants of an ONNX graph.

    Parameters
    ----------
    reader : WeightsReader
        What reads the model's weights.
    names : iterable of str
        Those of the model's inputs and layers: no other tensor gets one of them.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        So far.
    constants : list of onnx.TensorProto
        So far.
    """

    def __init__(self, reader: WeightsReader, names: Iterable[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._reader = reader
        self._names = set(names)

    def node(self, op: str, inputs: Sequence[str], layer: str, part: str = "", **attributes: Attribute) -> str:
        """Add a node and return its output's name: the layer's, or with a part, that of the part."""
        output = self._part(layer, part) if part else layer
        node = helper.make_node(op, list(inputs), [output], name=output)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, layer: str, part: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant and return its name."""
        name = self._part(layer, part)
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def weights(self, layer: Node) -> dict[str, Array]:
        """Return the arrays of weights that a layer has, by the names of their fields."""
        arrays: dict[str, Array] = {}
        for parameter in parameters_of(layer.layer, layer.input_shape):
            message = weights_field(layer.layer, parameter.name)
            if message is None and parameter.required:  # what is not there is read, and refused
                message = getattr(getattr(layer.layer, layer.kind), parameter.name)
            if message is not None:
                field = f"{layer.field}.{layer.kind}.{parameter.name}"
                arrays[parameter.name] = self._reader.read(message, parameter.shape, field)
        return arrays

    def _part(self, layer: str, part: str) -> str:
        name, number = f"{layer}/{part}", 0
        while name in self._names:
            number += 1
            name = f"{layer}/{part}_{number}"
        self._names.add(name)
        return name

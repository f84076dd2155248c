"""A graph -> a plan: where everything lies in memory, whatever a request asks for."""

import math
from collections import Counter
from typing import NamedTuple

from numbatch.engine.graph import Graph, Node
from numbatch.engine.parameters import Vectors, place_vectors
from numbatch.engine.specs import ArraySpec
from numbatch.kernels.blocking import example_block, row_stride
from numbatch.kernels.packing import PackedDense, layout

# The layers that may write over what they take, if nothing else takes it.
_IN_PLACE = ("activation", "softmax", "batch_normalization", "normalization", "layer_normalization")


class Buffer(NamedTuple):
    """One layer's output for one example: a place in elements, its rows, their width and their distance."""

    at: int
    rows: int
    width: int
    stride: int

    @property
    def end(self) -> int:
        """The place after it."""
        return self.at + self.rows * self.stride


class Plan(NamedTuple):
    """Where a model's arrays lie.

    Attributes
    ----------
    graph : Graph
        The model.
    dense : dict of str to PackedDense
        Where the weights of the dense layers lie in the arena.
    vectors : dict of str to Vectors
        Where those of the other layers do.
    buffers : dict of str to Buffer
        Where the inputs and the layers' outputs lie in the workspace, for one example: that of a block of examples is
        so many times as far. Row numbers have none: they are read where the caller has them.
    columns : dict of str to int
        Where each input begins in a row of a request, which is the inputs of one example, one after the other, row
        numbers after all others.
    row_elements : int
        The elements of such a row.
    arena_size : int
        Elements of the arena.
    workspace_size : int
        Elements of the workspace, for one thread.
    block : int
        Most examples that go through the network at a time.
    """

    graph: Graph
    dense: dict[str, PackedDense]
    vectors: dict[str, Vectors]
    buffers: dict[str, Buffer]
    columns: dict[str, int]
    row_elements: int
    arena_size: int
    workspace_size: int
    block: int


def make_plan(graph: Graph, *, bf16: bool = False) -> Plan:
    """Plan the memory of a graph, with the weights of dense layers as float32 or as bfloat16."""
    dense: dict[str, PackedDense] = {}
    vectors: dict[str, Vectors] = {}
    at = 0
    for node in graph.nodes:
        if node.kind == "dense":
            dense[node.name] = dense_layout(node, at, bf16=bf16)
            at = dense[node.name].end
        else:
            vectors[node.name] = place_vectors(node, at)
            at = vectors[node.name].end
    columns: dict[str, int] = {}
    row_elements = 0
    for spec in sorted(graph.inputs, key=lambda spec: spec.integer):
        columns[spec.name] = row_elements
        row_elements += spec.elements
    buffers = _place_buffers(graph)
    elements = max(buffer.end for buffer in buffers.values())
    block = example_block(max(buffer.rows for buffer in buffers.values()), elements)
    return Plan(graph, dense, vectors, buffers, columns, row_elements, at, elements * block, block)


def dense_layout(node: Node, at: int = 0, *, bf16: bool = False) -> PackedDense:
    """Return where a dense layer's weights go from a position on."""
    return layout(node.input_shape[-1], node.output_shape[-1], at, bf16=bf16)


def _place_buffers(graph: Graph) -> dict[str, Buffer]:
    """Give every array a place; arrays that are never needed at the same time may share one.

    Fewer places are more cache hits: a chain of layers needs two, whatever its length.
    """
    shared = _in_place(graph)
    last_use: dict[str, int] = {}
    for position, node in enumerate(graph.nodes):
        for name in (*node.inputs, node.name):
            place = shared.get(name, name)
            last_use[place] = max(position, last_use.get(place, -1))
    buffers: dict[str, Buffer] = {}
    arrays = [(-1, spec) for spec in graph.inputs if not spec.integer]
    arrays += [(position, ArraySpec(node.name, node.output_shape)) for position, node in enumerate(graph.nodes)]
    for position, spec in arrays:
        if spec.name in shared:
            buffers[spec.name] = buffers[shared[spec.name]]
            continue
        live = sorted(
            buffer for name, buffer in buffers.items() if last_use.get(shared.get(name, name), -1) >= position
        )
        rows, width, stride = math.prod(spec.shape[:-1]), spec.shape[-1], row_stride(spec.shape[-1])
        at = 0
        for buffer in live:
            if at + rows * stride <= buffer.at:
                break
            at = max(at, buffer.end)
        buffers[spec.name] = Buffer(at, rows, width, stride)
    return buffers


def _in_place(graph: Graph) -> dict[str, str]:
    """Return the layers that write over the output of another one, by name: the first of such a chain."""
    takers = Counter(name for node in graph.nodes for name in node.inputs)
    inputs = {spec.name for spec in graph.inputs}
    shared: dict[str, str] = {}
    for node in graph.nodes:
        source = node.inputs[0]
        if node.kind in _IN_PLACE and source not in inputs and takers[source] == 1:
            shared[node.name] = shared.get(source, source)
    return shared

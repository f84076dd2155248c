"""A graph -> a plan: where everything lies in memory, whatever a request asks for."""

import math
from typing import NamedTuple

from numbatch.engine.graph import Graph, Node
from numbatch.engine.specs import ArraySpec
from numbatch.kernels.blocking import example_block, row_stride
from numbatch.kernels.packing import PackedDense, layout


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
    buffers : dict of str to Buffer
        Where the input and the layers' outputs lie in the workspace, for one example: that of a block of examples is so
        many times as far.
    arena_size : int
        Elements of the arena.
    workspace_size : int
        Elements of the workspace, for one thread.
    block : int
        Most examples that go through the network at a time.
    """

    graph: Graph
    dense: dict[str, PackedDense]
    buffers: dict[str, Buffer]
    arena_size: int
    workspace_size: int
    block: int


def make_plan(graph: Graph, *, bf16: bool = False) -> Plan:
    """Plan the memory of a graph, with weights as float32 or as bfloat16."""
    dense = _place_weights(graph, bf16)
    buffers = _place_buffers(graph)
    elements = max(buffer.end for buffer in buffers.values())
    block = example_block(max(buffer.rows for buffer in buffers.values()), elements)
    arena_size = max((place.end for place in dense.values()), default=0)
    return Plan(graph, dense, buffers, arena_size, elements * block, block)


def dense_layout(node: Node, at: int = 0, *, bf16: bool = False) -> PackedDense:
    """Return where a dense layer's weights go from a position on."""
    return layout(node.input_shape[-1], node.output_shape[-1], at, bf16=bf16)


def _place_weights(graph: Graph, bf16: bool) -> dict[str, PackedDense]:
    places: dict[str, PackedDense] = {}
    at = 0
    for node in graph.nodes:
        if node.kind == "dense":
            places[node.name] = dense_layout(node, at, bf16=bf16)
            at = places[node.name].end
    return places


def _place_buffers(graph: Graph) -> dict[str, Buffer]:
    """Give every array a place; arrays that are never needed at the same time may share one.

    Fewer places are more cache hits: a chain of layers needs two, whatever its length.
    """
    last_use = {name: position for position, node in enumerate(graph.nodes) for name in node.inputs}
    buffers: dict[str, Buffer] = {}
    arrays = [graph.inputs[0], *(ArraySpec(node.name, node.output_shape) for node in graph.nodes)]
    for position, spec in enumerate(arrays, start=-1):
        live = sorted(buffer for name, buffer in buffers.items() if last_use.get(name, -1) >= position)
        rows, width, stride = math.prod(spec.shape[:-1]), spec.shape[-1], row_stride(spec.shape[-1])
        at = 0
        for buffer in live:
            if at + rows * stride <= buffer.at:
                break
            at = max(at, buffer.end)
        buffers[spec.name] = Buffer(at, rows, width, stride)
    return buffers

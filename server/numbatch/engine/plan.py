"""A graph -> a plan: the steps of the one compiled call, and where everything lies in memory."""

import math
from typing import NamedTuple

from numbatch.engine.graph import Graph, Node
from numbatch.engine.specs import ArraySpec
from numbatch.kernels.activations import Activation, to_bits
from numbatch.kernels.blocking import row_block, row_stride
from numbatch.kernels.packing import PackedDense, layout
from numbatch.kernels.program import ACTIVATION, DENSE, LOG_SOFTMAX, RESHAPE, SOFTMAX, Step

# The activations that work on rows are steps of their own.
_ROW_KINDS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}


class Plan(NamedTuple):
    """How a model is computed.

    Attributes
    ----------
    steps : tuple of Step
        The first stages the input; see `numbatch.kernels.program`.
    step_of : dict of str to int
        Which step makes a layer's output.
    dense : dict of str to PackedDense
        Where the weights of the dense layers lie in the arena.
    arena_size : int
        Elements of the arena.
    workspace_size : int
        Elements of the workspace.
    block : int
        Examples that go through the network at a time.
    """

    steps: tuple[Step, ...]
    step_of: dict[str, int]
    dense: dict[str, PackedDense]
    arena_size: int
    workspace_size: int
    block: int


class _Buffer(NamedTuple):
    """One layer's output for one example: a place, in elements per example, and its rows."""

    at: int
    rows: int
    width: int
    stride: int

    @property
    def end(self) -> int:
        return self.at + self.rows * self.stride


def make_plan(graph: Graph) -> Plan:
    """Plan the computation of a graph."""
    dense = _place_weights(graph)
    buffers = _place_buffers(graph)
    elements = max(buffer.end for buffer in buffers.values())
    block = row_block(elements)
    source = graph.inputs[0]
    steps = [_step(RESHAPE, buffers[source.name], buffers[source.name], block)]
    step_of = {}
    for node in graph.nodes:
        steps += _steps(node, buffers[node.inputs[0]], buffers[node.name], dense.get(node.name), block)
        step_of[node.name] = len(steps) - 1
    arena_size = max((place.end for place in dense.values()), default=0)
    return Plan(tuple(steps), step_of, dense, arena_size, elements * block, block)


def dense_layout(node: Node, at: int = 0) -> PackedDense:
    """Return where a dense layer's weights go from a position on."""
    return layout(node.input_shape[-1], node.output_shape[-1], at)


def _place_weights(graph: Graph) -> dict[str, PackedDense]:
    places: dict[str, PackedDense] = {}
    at = 0
    for node in graph.nodes:
        if node.kind == "dense":
            places[node.name] = dense_layout(node, at)
            at = places[node.name].end
    return places


def _place_buffers(graph: Graph) -> dict[str, _Buffer]:
    """Give every array a place; arrays that are never needed at the same time may share one.

    Fewer places are more cache hits: a chain of layers needs two, whatever its length.
    """
    last_use = {name: position for position, node in enumerate(graph.nodes) for name in node.inputs}
    buffers: dict[str, _Buffer] = {}
    arrays = [graph.inputs[0], *(ArraySpec(node.name, node.output_shape) for node in graph.nodes)]
    for position, spec in enumerate(arrays, start=-1):
        live = sorted(buffer for name, buffer in buffers.items() if last_use.get(name, -1) >= position)
        rows, width, stride = math.prod(spec.shape[:-1]), spec.shape[-1], row_stride(spec.shape[-1])
        at = 0
        for buffer in live:
            if at + rows * stride <= buffer.at:
                break
            at = max(at, buffer.end)
        buffers[spec.name] = _Buffer(at, rows, width, stride)
    return buffers


def _steps(node: Node, source: _Buffer, target: _Buffer, place: PackedDense | None, block: int) -> list[Step]:
    """Return the steps of one layer; the last one makes its output."""
    if node.kind == "flatten":
        return [_step(RESHAPE, source, target, block)]
    name, alpha = node.activation
    kind = _ROW_KINDS.get(name, ACTIVATION)
    code = Activation[name.upper()] if kind == ACTIVATION else Activation.LINEAR
    if place is None:
        return [_step(kind, source, target, block)._replace(activation=code, alpha_bits=to_bits(alpha))]
    step = _step(DENSE, source, target, block)._replace(
        activation=code,
        w_at=place.w_at,
        panel_stride=place.panel_stride,
        bias_at=place.bias_at,
        panels=place.panels,
        alpha_bits=to_bits(alpha),
    )
    return [step] if kind == ACTIVATION else [step, _step(kind, target, target, block)]


def _step(kind: int, source: _Buffer, target: _Buffer, block: int) -> Step:
    """Return a step whose places are those of a block: all rows of a buffer lie together."""
    return Step(
        kind,
        source.at * block,
        source.rows,
        source.width,
        source.stride,
        target.at * block,
        target.rows,
        target.width,
        target.stride,
    )

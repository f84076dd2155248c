"""A plan and the layers that are wanted -> the steps of the one compiled call: what they need, and no more."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.engine.graph import Node
from numbatch.engine.plan import Buffer, Plan
from numbatch.engine.specs import ArraySpec
from numbatch.kernels.activations import Activation, to_bits
from numbatch.kernels.blocking import reads_well
from numbatch.kernels.library import kernel_table
from numbatch.kernels.packing import PackedDense
from numbatch.kernels.steps import (
    ACTIVATION,
    DENSE,
    EITHER,
    INPUT,
    LOG_SOFTMAX,
    NOT_WANTED,
    OUTPUT,
    RESHAPE,
    SOFTMAX,
    STAGE,
    WORKSPACE,
    Header,
    Step,
    table_of,
)
from numbatch.kernels.target import NR

# The activations that work on rows are steps of their own.
_ROW_KINDS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}


class Selection(NamedTuple):
    """How some layers' outputs are computed.

    Attributes
    ----------
    table : ndarray of int64
        What `numbatch.kernels.program.run_network` takes.
    outputs : tuple of ArraySpec
        The layers, in the order asked for; their outputs lie one after the other, each for the whole batch.
    elements : int
        The elements of all outputs of one example.
    places : tuple of (ArraySpec, int, int)
        The layers, the elements of one example that are before each, and its own.
    """

    table: npt.NDArray[np.int64]
    outputs: tuple[ArraySpec, ...]
    elements: int
    places: tuple[tuple[ArraySpec, int, int], ...]


class _Place(NamedTuple):
    """Where an array is while the steps run: in which memory, and a buffer in it."""

    memory: int
    buffer: Buffer


def select(plan: Plan, arena_address: int, outputs: Sequence[ArraySpec]) -> Selection:
    """Return the steps for some outputs, each named once."""
    wanted: dict[str, int] = {}
    elements = 0
    for spec in outputs:
        wanted[spec.name] = elements
        elements += spec.elements
    nodes = _needed(plan.graph.nodes, set(wanted))
    places = _places(plan, nodes, wanted)
    steps = _stage(plan, nodes, places)
    for node in nodes:
        steps += _steps(node, places, plan, wanted)
    header = Header(
        steps=len(steps),
        block=plan.block,
        kernels=kernel_table().ctypes.data,
        arena=arena_address,
        workspace_size=plan.workspace_size,
        weights=sum(step.source_rows * step.source_width * step.panels * NR for step in steps),
        input_elements=plan.graph.inputs[0].elements,
    )
    places_of_outputs = tuple((spec, wanted[spec.name], spec.elements) for spec in outputs)
    return Selection(table_of(header, steps), tuple(outputs), elements, places_of_outputs)


def _needed(nodes: Sequence[Node], names: set[str]) -> list[Node]:
    """Return the nodes that have these names, and all that those depend on, in their order."""
    needed = set(names)
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in nodes if node.name in needed]


def _places(plan: Plan, nodes: Sequence[Node], wanted: dict[str, int]) -> dict[str, _Place]:
    """Decide where each array is: where it needs no copy, if that can be.

    The input is read where the caller has it by dense layers, which take rows as they lie. An output is made where the
    caller wants it if no layer takes it and its rows are whole panels.
    """
    source = plan.graph.inputs[0]
    taken = {name for node in nodes for name in node.inputs}
    places = {name: _Place(WORKSPACE, buffer) for name, buffer in plan.buffers.items()}
    in_place = {source.name}
    for node in nodes:
        if node.kind == "flatten" and node.inputs[0] in in_place and node.name not in wanted:
            in_place.add(node.name)
    takers = [node for node in nodes if node.inputs[0] in in_place and node.name not in in_place]
    if all(node.kind == "dense" for node in takers):
        for name in in_place:
            buffer = plan.buffers[name]
            as_it_lies = buffer.rows > 1 or reads_well(buffer.width)
            places[name] = _Place(INPUT if as_it_lies else EITHER, buffer)
    for name, at in wanted.items():
        buffer = plan.buffers[name]
        if name not in taken and buffer.width % NR == 0:
            places[name] = _Place(OUTPUT, buffer._replace(at=at))
    return places


def _stage(plan: Plan, nodes: Sequence[Node], places: dict[str, _Place]) -> list[Step]:
    """Return the copy of the input to the workspace, where one is needed."""
    name = plan.graph.inputs[0].name
    if places[name].memory == INPUT or all(name not in node.inputs or _stays(node, places) for node in nodes):
        return []
    return [_stage_step(places[name], plan.block)]


def _stays(node: Node, places: dict[str, _Place]) -> bool:
    """Tell whether a layer only sees the input in another shape."""
    return node.kind == "flatten" and places[node.name].memory in (INPUT, EITHER)


def _stage_step(place: _Place, block: int) -> Step:
    source = _Place(EITHER if place.memory == EITHER else INPUT, place.buffer)
    return _step(STAGE, source, _Place(WORKSPACE, place.buffer), block)


def _steps(node: Node, places: dict[str, _Place], plan: Plan, wanted: dict[str, int]) -> list[Step]:
    """Return the steps of one layer; the last one makes its output."""
    source, target, block = places[node.inputs[0]], places[node.name], plan.block
    copied = wanted.get(node.name, NOT_WANTED) if target.memory != OUTPUT else NOT_WANTED
    if node.kind == "flatten":
        if _stays(node, places):
            return [_stage_step(target, block)] if target.memory == EITHER else []
        steps = [_step(RESHAPE, source, target, block)]
    else:
        name, alpha = node.activation
        kind = _ROW_KINDS.get(name, ACTIVATION)
        code = Activation[name.upper()] if kind == ACTIVATION else Activation.LINEAR
        function = {"activation": code, "alpha_bits": to_bits(alpha)}
        if node.kind != "dense":
            steps = [_step(kind, source, target, block)._replace(**function)]
        else:
            steps = [_dense_step(plan.dense[node.name], source, target, block)._replace(**function)]
            if kind != ACTIVATION:
                steps.append(_step(kind, target, target, block))
    steps[-1] = steps[-1]._replace(wanted_at=copied)
    return steps


def _dense_step(place: PackedDense, source: _Place, target: _Place, block: int) -> Step:
    return _step(DENSE, source, target, block)._replace(
        w_at=place.w_at, bias_at=place.bias_at, panels=place.panels, bf16=int(place.bf16)
    )


def _step(kind: int, source: _Place, target: _Place, block: int) -> Step:
    """Return a step whose places are those of a block: in the workspace, all rows of a buffer lie together."""
    return Step(
        kind,
        source.memory,
        source.buffer.at * (1 if source.memory == OUTPUT else block),
        source.buffer.rows,
        source.buffer.width,
        source.buffer.stride,
        target.memory,
        target.buffer.at * (1 if target.memory == OUTPUT else block),
        target.buffer.rows,
        target.buffer.width,
        target.buffer.stride,
    )

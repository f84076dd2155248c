"""A plan and the layers that are wanted -> the steps of the one compiled call: what they need, and no more."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.engine.activations import LINEAR, Function
from numbatch.engine.graph import Node
from numbatch.engine.parameters import epsilon_of
from numbatch.engine.plan import Buffer, Plan
from numbatch.engine.specs import ArraySpec
from numbatch.kernels.activations import Activation, to_bits
from numbatch.kernels.blocking import reads_well
from numbatch.kernels.library import kernel_table
from numbatch.kernels.lookup import NO_PADDING
from numbatch.kernels.packing import PackedDense
from numbatch.kernels.steps import (
    ACTIVATION,
    ADD,
    AFFINE,
    DENSE,
    EITHER,
    INPUT,
    LAYER_NORM,
    LOG_SOFTMAX,
    LOOK_UP,
    MULTIPLY,
    NOT_WANTED,
    OUTPUT,
    PLACE,
    RESHAPE,
    SOFTMAX,
    STAGE,
    TAKE,
    WORKSPACE,
    Header,
    Step,
    table_of,
)
from numbatch.kernels.target import NR
from numbatch.wire.layers import taken_numbers

# The activations that work on rows are steps of their own.
_ROW_KINDS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}
_SAME_ELEMENTS = ("flatten", "reshape")


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
    works = _fused(plan, _needed(plan.graph.nodes, set(wanted)), wanted)
    places = _places(plan, works, wanted)
    steps = _stage(plan, works, places)
    for work in works:
        steps += _steps(work, places, plan, wanted)
    header = Header(
        steps=len(steps),
        block=plan.block,
        kernels=kernel_table().ctypes.data,
        arena=arena_address,
        workspace_size=plan.workspace_size,
        weights=sum(step.source_rows * step.source_width * step.panels * NR for step in steps),
        input_elements=plan.row_elements,
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


class _Work(NamedTuple):
    """A layer to be computed: which output becomes of it, with which activation applied."""

    node: Node
    output: str
    activation: Function


def _fused(plan: Plan, nodes: Sequence[Node], wanted: dict[str, int]) -> list[_Work]:
    """Let a dense layer compute the activation that is a layer after it, where nobody looks at what is between them.

    To a tile in cache it is applied to the same bits.
    """
    after = {node.inputs[0]: node for node in nodes if node.kind == "activation"}
    works: list[_Work] = []
    computed: set[str] = set()
    for node in nodes:
        follower = after.get(node.name)
        plain = node.kind == "dense" and node.activation == LINEAR and node.name not in wanted
        if follower is not None and plain and plan.buffers[follower.name] is plan.buffers[node.name]:
            works.append(_Work(node, follower.name, follower.activation))
            computed.add(follower.name)
        elif node.name not in computed:
            works.append(_Work(node, node.name, node.activation))
    return works


def _places(plan: Plan, works: Sequence[_Work], wanted: dict[str, int]) -> dict[str, _Place]:
    """Decide where each array is: where it needs no copy, if that can be.

    An input is read where the caller has it by dense layers, which take rows as they lie, and by lookups. An output is
    made where the caller wants it if no layer takes it and its rows are whole panels.
    """
    taken = {name for work in works for name in work.node.inputs}
    places = {name: _Place(WORKSPACE, buffer) for name, buffer in plan.buffers.items()}
    for spec in plan.graph.inputs:
        places.update(_input_places(plan, works, wanted, spec))
    for name, at in wanted.items():
        buffer = plan.buffers[name]
        if name not in taken and buffer.width % NR == 0:
            places[name] = _Place(OUTPUT, buffer._replace(at=at))
    return places


def _input_places(plan: Plan, works: Sequence[_Work], wanted: dict[str, int], spec: ArraySpec) -> dict[str, _Place]:
    """Return the places of an input, and of it in other shapes, where it is read without a copy."""
    column, single = plan.columns[spec.name], len(plan.graph.inputs) == 1
    if spec.integer:
        rows, width = spec.elements // spec.shape[-1], spec.shape[-1]
        return {spec.name: _Place(INPUT, Buffer(column, rows, width, width))}
    seen = {spec.name}
    for work in works:
        if work.node.kind in _SAME_ELEMENTS and work.node.inputs[0] in seen and work.output not in wanted:
            seen.add(work.output)
    takers = [work.node for work in works if seen.intersection(work.node.inputs) and work.output not in seen]
    if any(node.kind != "dense" for node in takers):
        return {}
    places = {}
    for name in seen:
        buffer = plan.buffers[name]
        if single:
            memory = INPUT if buffer.rows > 1 or reads_well(buffer.width) else EITHER
            places[name] = _Place(memory, buffer._replace(stride=buffer.width) if memory == INPUT else buffer)
        elif buffer.rows == 1 and reads_well(plan.row_elements):
            places[name] = _Place(INPUT, buffer._replace(at=column, stride=plan.row_elements))
    return {
        name: place._replace(buffer=place.buffer._replace(at=column)) if place.memory == INPUT else place
        for name, place in places.items()
    }


def _stage(plan: Plan, works: Sequence[_Work], places: dict[str, _Place]) -> list[Step]:
    """Return the copies of inputs to the workspace, where they are needed."""
    steps = []
    for spec in plan.graph.inputs:
        place = places[spec.name]
        if place.memory != INPUT and any(spec.name in work.node.inputs and not _stays(work, places) for work in works):
            steps.append(_stage_step(place, plan.columns[spec.name], plan.block))
    return steps


def _stays(work: _Work, places: dict[str, _Place]) -> bool:
    """Tell whether a layer only sees an input in another shape."""
    return work.node.kind in _SAME_ELEMENTS and places[work.output].memory in (INPUT, EITHER)


def _stage_step(place: _Place, column: int, block: int) -> Step:
    if place.memory == EITHER:
        source = place
    else:
        source = _Place(INPUT, place.buffer._replace(at=column))
    return _step(STAGE, source, _Place(WORKSPACE, place.buffer), block)


def _steps(work: _Work, places: dict[str, _Place], plan: Plan, wanted: dict[str, int]) -> list[Step]:
    """Return the steps of one layer; the last one makes its output."""
    node, target, block = work.node, places[work.output], plan.block
    if _stays(work, places):
        return [_stage_step(target, 0, block)] if target.memory == EITHER else []
    sources = [places[name] for name in node.inputs]
    if node.kind == "embedding":
        sources = [_taken_numbers(node, sources[0])]
    first = _step(_KINDS.get(node.kind, ACTIVATION), sources[0], target, block)
    if node.kind in ("dense", "activation", "softmax"):
        steps = _dense_or_activation(work, plan, first, target)
    elif node.kind in ("add", "multiply"):
        steps = [_with_other(first, sources[1], block)]
        again = _step(first.kind, target, target, block)
        steps += [_with_other(again, source, block) for source in sources[2:]]
    elif node.kind == "concatenate":
        steps = _side_by_side(sources, target, block)
    else:
        steps = [first._replace(**_parameters(node, plan))]
    copied = wanted.get(work.output, NOT_WANTED) if target.memory != OUTPUT else NOT_WANTED
    steps[-1] = steps[-1]._replace(wanted_at=copied)
    return steps


_KINDS = {
    "dense": DENSE,
    "flatten": RESHAPE,
    "reshape": RESHAPE,
    "batch_normalization": AFFINE,
    "normalization": AFFINE,
    "layer_normalization": LAYER_NORM,
    "add": ADD,
    "multiply": MULTIPLY,
    "embedding": LOOK_UP,
    "slice": TAKE,
}


def _dense_or_activation(work: _Work, plan: Plan, first: Step, target: _Place) -> list[Step]:
    name, alpha = work.activation
    kind = _ROW_KINDS.get(name, ACTIVATION)
    code = Activation[name.upper()] if kind == ACTIVATION else Activation.LINEAR
    function = {"activation": code, "alpha_bits": to_bits(alpha)}
    if work.node.kind != "dense":
        return [first._replace(kind=kind, **function)]
    dense = first._replace(**_weights(plan.dense[work.node.name]), **function)
    return [dense] if kind == ACTIVATION else [dense, _step(kind, target, target, plan.block)]


def _weights(place: PackedDense) -> dict[str, int]:
    return {"w_at": place.w_at, "bias_at": place.bias_at, "panels": place.panels, "bf16": int(place.bf16)}


def _parameters(node: Node, plan: Plan) -> dict[str, int]:
    """Return what a layer's step has beside its operands: where its parameters are, above all."""
    places = plan.vectors[node.name]
    if node.kind in ("batch_normalization", "normalization"):
        return {"w_at": places.at["mean"], "other_stride": places.stride}
    if node.kind == "slice":
        return {"column": node.layer.slice.start}
    if node.kind == "layer_normalization":
        scale, offset = places.at["scale"], places.at["offset"]
        return {"w_at": scale, "bias_at": offset, "alpha_bits": to_bits(epsilon_of(node))}
    if node.kind == "embedding":
        embedding = node.layer.embedding
        padding = embedding.padding_id if embedding.HasField("padding_id") else NO_PADDING
        return {"w_at": places.at["table"], "pooling": embedding.pooling, "padding": padding}
    return {}


def _taken_numbers(node: Node, place: _Place) -> _Place:
    """Return where the numbers are that an embedding takes of an input."""
    start, stop = taken_numbers(node.layer, place.buffer.width)
    return place._replace(buffer=place.buffer._replace(at=place.buffer.at + start, width=stop - start))


def _with_other(step: Step, other: _Place, block: int) -> Step:
    """Return a step that takes something beside its source; it lies in the workspace, as all that is taken does."""
    return step._replace(other_at=other.buffer.at * block, other_stride=other.buffer.stride)


def _side_by_side(sources: Sequence[_Place], target: _Place, block: int) -> list[Step]:
    steps = []
    column = 0
    for source in sources:
        steps.append(_step(PLACE, source, target, block)._replace(column=column))
        column += source.buffer.width
    return steps


def _step(kind: int, source: _Place, target: _Place, block: int) -> Step:
    """Return a step whose places are those of a block: in the workspace, all rows of a buffer lie together."""
    return Step(
        kind,
        source.memory,
        _at(source, block),
        source.buffer.rows,
        source.buffer.width,
        source.buffer.stride,
        target.memory,
        _at(target, block),
        target.buffer.rows,
        target.buffer.width,
        target.buffer.stride,
    )


def _at(place: _Place, block: int) -> int:
    return place.buffer.at * (1 if place.memory in (INPUT, OUTPUT) else block)

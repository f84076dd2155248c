"""Operators that cut an axis into several parts, as one operator for each part: "chunk" with a start and an end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

from numbatch.convert.torch.program import Node, Program

# From an operator's arguments and the axis' length, what each part's operator is given to know which it is.
_Cut = Callable[[Mapping[str, Any], int], Iterator[Mapping[str, int]]]


def separated(program: Program) -> Program:
    """Return the program with a node of its own for each part; of an axis of no fixed length, all stay in one."""
    nodes = [part for node in program.nodes for part in _parts(node, program)]
    return replace(program, nodes=tuple(nodes))


def _parts(node: Node, program: Program) -> list[Node]:
    cut = CUTS.get(node.operation)
    if cut is None:
        return [node]
    x, axis = node.arguments["self"], node.arguments.get("dim", 0)
    length = program.arrays[x.name].shape[axis]
    if not isinstance(length, int) or not _is_fixed(node):
        return [node]
    parts = zip(node.outputs, cut(node.arguments, length), strict=False)  # no more than there are outputs
    return [
        replace(node, arguments={"self": x, "dim": axis, **which}, outputs=(name,))
        for name, which in parts
        if name in program.arrays  # nothing is known of what nobody takes
    ]


def _is_fixed(node: Node) -> bool:
    """Whether the lengths of the parts are numbers."""
    others = [each for key, each in node.arguments.items() if key not in ("self", "dim")]
    return all(isinstance(number, int) for each in others for number in (each if type(each) is list else [each]))


def _chunk(arguments: Mapping[str, Any], length: int) -> Iterator[Mapping[str, int]]:
    return _equal(-(-length // arguments["chunks"]), length)


def _split(arguments: Mapping[str, Any], length: int) -> Iterator[Mapping[str, int]]:
    sizes = arguments.get("split_size", arguments.get("split_sizes"))
    return _between([0, *accumulate(sizes)]) if isinstance(sizes, list) else _equal(sizes, length)


def _tensor_split(arguments: Mapping[str, Any], length: int) -> Iterator[Mapping[str, int]]:
    if "indices" in arguments:
        return _between([0, *arguments["indices"], length])
    least, longer = divmod(length, arguments["sections"])
    starts = (i * least + min(i, longer) for i in range(arguments["sections"] + 1))
    return ({"start": start, "end": end} for start, end in pairwise(starts))


def _unbind(_arguments: Mapping[str, Any], length: int) -> Iterator[Mapping[str, int]]:
    return ({"index": i} for i in range(length))


def _equal(size: int, length: int) -> Iterator[Mapping[str, int]]:
    return ({"start": start, "end": start + size} for start in range(0, length, size))


def _between(places: list[int]) -> Iterator[Mapping[str, int]]:
    return ({"start": start, "end": end} for start, end in pairwise(places))


CUTS: Mapping[str, _Cut] = {
    **dict.fromkeys(("chunk", "unsafe_chunk"), _chunk),
    **dict.fromkeys(("split", "unsafe_split", "split_with_sizes", "unsafe_split_with_sizes"), _split),
    **{"tensor_split": _tensor_split, "unbind": _unbind},
}

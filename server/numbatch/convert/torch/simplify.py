"""A program without what changes nothing: dropout, copies, casts to the type that is there, slices of all elements."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from numbatch.convert.torch.program import Node, Program, Ref, refused
from numbatch.convert.torch.splits import CUTS, separated

_DROPOUTS = {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout"}
_COPIES = {"alias", "clone", "contiguous", "detach", "lift_fresh", "lift_fresh_copy", "view_as"}
_CASTS = {"to", "_to_copy", "type_as"}
_PARTS = {"slice", "narrow", *CUTS}
# Operations that may change nothing.
NOTHING = _DROPOUTS | _COPIES | _CASTS
# What certainly gives new memory, so that changing it in place changes nothing else.
_NEW_MEMORY = {
    *("linear", "addmm", "mm", "matmul", "batch_norm", "layer_norm", "embedding", "embedding_bag", "mean", "sum"),
    *("add", "sub", "mul", "div", "neg", "cat", "stack", "relu", "gelu", "silu", "sigmoid", "tanh", "softmax"),
    *("log_softmax", "hardtanh", "clamp", "leaky_relu", "elu", "selu", "celu", "mish", "softplus", "hardswish", "glu"),
}

_NO_STATE = (
    "a served model has no state; a norm that counts its batches is in training mode: call eval() before exporting"
)


def simplified(program: Program) -> tuple[Program, list[str]]:
    """Return the program without what changes nothing, parts of axes by themselves, and the places of dropouts.

    Raises
    ------
    UnsupportedError
        LAYER_UNSUPPORTED, if it depends on arrays that are changed in place, or a dropout is in training mode.
    """
    _check_changes_in_place(program)
    program = separated(program)
    source: dict[str, str] = {}
    nodes, gone = [], []
    for node in program.nodes:
        node = replace(node, arguments={key: _renamed(each, source) for key, each in node.arguments.items()})
        if not _changes_nothing(node, program):
            nodes.append(node)
            continue
        source[node.outputs[0]] = node.arguments[_first(node)].name
        if node.operation.rstrip("_") in _DROPOUTS:
            gone.append(node.place)
    outputs = tuple(source.get(name, name) for name in program.outputs)
    return replace(program, nodes=tuple(nodes), outputs=outputs), list(dict.fromkeys(gone))


def is_integer(data_type: str) -> bool:
    """Return whether the elements of a type are whole numbers."""
    return data_type.startswith(("int", "uint"))


def _changes_nothing(node: Node, program: Program) -> bool:
    operation = node.operation.rstrip("_")
    if operation in _DROPOUTS:
        if node.arguments.get("train", True) and node.arguments.get("p", 0.5) != 0:
            hint = "call eval() before exporting; in forward, F.dropout(x, training=self.training)"
            raise refused(node, "dropout in training mode", expected="inference", hint=hint)
        return True
    if operation not in _COPIES | _CASTS | _PARTS or len(node.outputs) > 1:
        return False
    before, after = (program.arrays[name] for name in (node.arguments[_first(node)].name, node.outputs[0]))
    if operation in _COPIES | _PARTS:
        return before.shape == after.shape
    return _class_of(before.data_type) == _class_of(after.data_type)


def _class_of(data_type: str) -> str:
    """Return what types of numbers have in common that may take each other's place: their widths do not matter."""
    return "integer" if is_integer(data_type) else "real" if "float" in data_type else data_type


def _first(node: Node) -> str:
    return "self" if "self" in node.arguments else "input"


def _renamed(argument: Any, source: Mapping[str, str]) -> Any:
    if isinstance(argument, Ref):
        return Ref(source.get(argument.name, argument.name))
    return [_renamed(each, source) for each in argument] if isinstance(argument, list) else argument


def _check_changes_in_place(program: Program) -> None:
    """Refuse programs in which an array is used after another name of the same memory was written to."""
    memory: dict[str, str] = {name: name for name in (*program.inputs, *program.constants)}
    stale: dict[str, Node] = {}
    for node in program.nodes:
        _check_not_stale(node.taken(), stale)
        in_place = node.operation.endswith("_") and not node.operation.startswith("_")
        taken = next((memory[name] for name in node.taken() if name in memory), "")
        for name in node.outputs:
            memory[name] = taken if taken and (in_place or node.operation not in _NEW_MEMORY) else name
        if in_place and node.operation.rstrip("_") not in (_DROPOUTS | _COPIES):
            if taken in program.constants:
                raise refused(node, "it changes a weight or buffer in place", hint=_NO_STATE)
            stale |= {name: node for name, at in memory.items() if at == taken and name not in node.outputs}
    _check_not_stale(iter(program.outputs), stale)


def _check_not_stale(names: Iterator[str], stale: Mapping[str, Node]) -> None:
    for name in names:
        if name in stale:
            hint = "use the function that returns a new tensor (inplace=False)"
            raise refused(stale[name], f"it changes an array in place that is used afterwards, {name}", hint=hint)

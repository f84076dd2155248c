"""The names of layers: those of the modules that they are the results of."""

from collections.abc import Mapping

from numbatch.convert.torch.program import Node, Program


def layer_names(program: Program) -> Mapping[str, str]:
    """Return what the layers are to be called that nodes become, by the nodes' names.

    What a module gives has the module's path, "encoder.0"; of nested modules that give the same, the innermost's. What
    happens inside a module has its path and the operation, "encoder.add"; in the outermost, "add". What comes twice is
    numbered, "encoder.0_1", in such an order that modules keep their names.
    """
    results = _results(program)
    names: dict[str, str] = {}
    taken = set(program.inputs)
    for of_modules in (True, False):
        for node in program.nodes:
            path = results.get(node.name, "")
            if bool(path) == of_modules:
                names[node.name] = _unique(path or _inside(node), taken)
    return names


def _results(program: Program) -> dict[str, str]:
    """Return the paths of the innermost modules by the nodes whose outputs are all that leaves them."""
    users: dict[str, list[Node]] = {}
    for node in program.nodes:
        for name in node.taken():
            users.setdefault(name, []).append(node)
    leaving: dict[str, list[Node]] = {}
    for node in program.nodes:
        out = any(name in program.outputs for name in node.outputs)
        for call in node.modules:
            if call.path and (
                out or any(call not in user.modules for name in node.outputs for user in users.get(name, []))
            ):
                leaving.setdefault(call.key, []).append(node)
    results: dict[str, str] = {}
    for node in program.nodes:
        for call in node.modules:
            if leaving.get(call.key) == [node]:
                results[node.name] = call.path  # the innermost comes last
    return results


def _inside(node: Node) -> str:
    path = node.modules[-1].path if node.modules else ""
    operation = node.operation.split(".")[-1].strip("_")
    return f"{path}.{operation}" if path else operation


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 0
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    taken.add(unique)
    return unique

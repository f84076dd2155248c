"""Which nodes of a graph are needed, and what writes the layer of each."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from numbatch.convert.onnx.activations import Activated, find_activation
from numbatch.convert.onnx.matching import Found
from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.nodes_writer import PRE_ACTIVATION
from numbatch.convert.onnx.operators import OPERATORS, unsupported
from numbatch.convert.onnx.patterns import PATTERNS, Pattern
from numbatch.convert.onnx.products import find_product, write_product
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.graph import Symbol


class Step(NamedTuple):
    """A node that is needed.

    Attributes
    ----------
    node : Node
        It.
    needs : tuple of str
        The tensors of which its outputs are computed.
    write : callable
        (translation, node) -> what its outputs are; where it is one, the first.
    """

    node: Node
    needs: tuple[str, ...]
    write: Callable[[Translation, Node], Symbol | list[Symbol] | list[Symbol | None]]


def plan(network: Network, outputs: Iterable[str]) -> list[Step]:
    """Return the nodes that these outputs need, each after those that it needs."""
    needed = set(outputs)
    steps = []
    for node in reversed(network.nodes):
        if not needed.isdisjoint(node.outputs):
            steps.append(_step(network, node))
            needed.update(steps[-1].needs)
    return steps[::-1]


def _step(network: Network, node: Node) -> Step:
    if network.is_transparent(node):
        return Step(node, node.inputs[:1], _look_through)
    if activated := find_activation(network, node):
        return _activation(network, node, activated)
    for pattern in _PATTERNS.get(node.op, ()):
        found = next(pattern.part.fits(network, node.outputs[0], Found()), None)
        if found and pattern.holds(found):
            return Step(node, tuple(found.tensors.values()), partial(_write_found, pattern, found))
    needs = tuple(name for name in node.inputs if name)
    return Step(node, needs, OPERATORS.get(node.op, _refuse))


def _activation(network: Network, node: Node, activated: Activated) -> Step:
    if activated.tensor == f"{node.name}/{PRE_ACTIVATION}" and (product := find_product(network, activated.tensor)):
        return Step(node, (product.x,), lambda t, _node: write_product(t, product, node.name, activated))
    return Step(node, (activated.tensor,), partial(_write_activation, activated))


def _write_activation(activated: Activated, t: Translation, node: Node) -> Symbol:
    x = t.numbers(node, activated.tensor)
    if activated.function == "softmax":
        return t.writer.softmax(x, name=node.name)
    return t.writer.activation(x, activated.function, alpha=activated.alpha, name=node.name)


def _write_found(pattern: Pattern, found: Found, t: Translation, node: Node) -> Symbol:
    return pattern.write(t, node, found)


def _look_through(t: Translation, node: Node) -> Symbol:
    return t.array(node)


def _refuse(_t: Translation, node: Node) -> Symbol:
    raise unsupported(node)


_PATTERNS: dict[str, list[Pattern]] = {}
for _each in PATTERNS:
    for _root in _each.part.roots():
        _PATTERNS.setdefault(_root, []).append(_each)

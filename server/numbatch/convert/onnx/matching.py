"""Finding patterns in a graph: exporters write one function as several nodes, and each exporter in its own way.

>>> x = Input("x")
>>> silu = Op("Mul", x, Op("Sigmoid", x))

matches a tensor that is the product of any tensor with its own sigmoid, in either order, and says which tensor that is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node
from numbatch.wire.tensors import Array

# What the parts of a pattern are in a graph: tensors and nodes by the parts' names.
Tensors = Mapping[str, str]
_COMMUTATIVE = ("Add", "Max", "Min", "Mul")


@dataclass(frozen=True)
class Found:
    """One way in which a pattern fits."""

    tensors: Tensors = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    constants: Mapping[str, Array] = field(default_factory=dict)


class Part(ABC):
    """A part of a pattern."""

    @abstractmethod
    def fits(self, network: Network, tensor: str, found: Found) -> Iterator[Found]:
        """Return the ways in which a tensor is this part, given what has been found so far."""

    def roots(self) -> frozenset[str]:
        """Return the types of the nodes whose outputs it may be."""
        return frozenset()


@dataclass(frozen=True)
class Input(Part):
    """Any array that depends on the model's inputs; the same one everywhere in a pattern."""

    name: str

    def fits(self, network: Network, tensor: str, found: Found) -> Iterator[Found]:
        """Return the ways in which a tensor is this part, given what has been found so far."""
        source = network.source(tensor)
        if source not in network.constants and found.tensors.get(self.name, source) == source:
            yield Found({**found.tensors, self.name: source}, found.nodes, found.constants)


@dataclass(frozen=True)
class Number(Part):
    """A constant of this value in all its elements; exporters write it with six digits or more."""

    value: float

    def fits(self, network: Network, tensor: str, found: Found) -> Iterator[Found]:
        """Return the ways in which a tensor is this part, given what has been found so far."""
        value = network.constant(tensor)
        if value is not None and value.dtype.kind in "fiu" and value.size == 1:
            if np.allclose(value.astype(np.float64), self.value, rtol=2e-6, atol=0):
                yield found


@dataclass(frozen=True)
class Constant(Part):
    """Any constant of numbers."""

    name: str

    def fits(self, network: Network, tensor: str, found: Found) -> Iterator[Found]:
        """Return the ways in which a tensor is this part, given what has been found so far."""
        value = network.constant(tensor)
        if value is not None and value.dtype.kind in "fiu":
            yield Found(found.tensors, found.nodes, {**found.constants, self.name: value})


class Op(Part):
    """What a node of this type makes of such inputs; of sums and products in either order.

    Parameters
    ----------
    op : str
        The type.
    *inputs : Part
        The first inputs. Others may follow.
    name : str
        By which the node is found.
    once : bool
        Whether nothing else may use the node's output.
    where : callable, optional
        (network, node) -> whether it will do.
    """

    def __init__(
        self,
        op: str,
        *inputs: Part,
        name: str = "",
        once: bool = False,
        where: Callable[[Network, Node], bool] | None = None,
    ) -> None:
        self.op, self.inputs, self.name, self.once, self.where = op, inputs, name, once, where

    def fits(self, network: Network, tensor: str, found: Found) -> Iterator[Found]:
        """Return the ways in which a tensor is this part, given what has been found so far."""
        node = network.maker(tensor)
        if node is None or node.op != self.op or len(node.inputs) < len(self.inputs):
            return
        if (self.once and not network.is_used_once(tensor)) or (self.where and not self.where(network, node)):
            return
        if self.name:
            found = Found(found.tensors, {**found.nodes, self.name: node}, found.constants)
        yield from _all_fit(self.inputs, network, node.inputs, found)
        if self.op in _COMMUTATIVE and len(self.inputs) == 2 == len(node.inputs):
            yield from _all_fit(self.inputs, network, node.inputs[::-1], found)

    def roots(self) -> frozenset[str]:
        """Return the types of the nodes whose outputs it may be."""
        return frozenset([self.op])


@dataclass(frozen=True)
class Either(Part):
    """One of several parts."""

    parts: tuple[Part, ...]

    def fits(self, network: Network, tensor: str, found: Found) -> Iterator[Found]:
        """Return the ways in which a tensor is this part, given what has been found so far."""
        for part in self.parts:
            yield from part.fits(network, tensor, found)

    def roots(self) -> frozenset[str]:
        """Return the types of the nodes whose outputs it may be."""
        return frozenset().union(*(part.roots() for part in self.parts))


def either(*parts: Part) -> Part:
    """Return a part that is one of these."""
    return Either(parts)


def times(part: Part, factor: float) -> Part:
    """Return a part that is another one, multiplied by a number or divided by its reciprocal."""
    return either(Op("Mul", part, Number(factor)), Op("Div", part, Number(1 / factor)))


def _all_fit(parts: tuple[Part, ...], network: Network, tensors: tuple[str, ...], found: Found) -> Iterator[Found]:
    if not parts:
        yield found
        return
    for way in parts[0].fits(network, tensors[0], found):
        yield from _all_fit(parts[1:], network, tensors[1:], way)

"""The nodes of an ONNX graph as the reader sees them: attributes as Python values, and a way to refuse."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes
    ----------
    op : str
        Its type ("Gemm"); those that are not of ONNX itself carry their domain ("ai.onnx.ml.Scaler").
    name : str
        The name of its first output: what its layer is called, and what errors call it.
    inputs, outputs : tuple of str
        Names of tensors; "" where an optional one is left out.
    attributes : mapping
        By name; absent ones are not there.
    opset : int
        The version of its domain that the model was written for.
    proto : onnx.NodeProto
        As it came.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    proto: onnx.NodeProto

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute's value."""
        return self.attributes.get(name, default)

    def has_input(self, position: int) -> bool:
        """Return whether an optional input is given."""
        return len(self.inputs) > position and bool(self.inputs[position])

    def refusal(
        self,
        problem: str,
        *,
        got: object = "",
        expected: object = "",
        hint: str = "",
        reason: Reason = Reason.LAYER_UNSUPPORTED,
    ) -> NumbatchError:
        """Return the error that says why this node cannot be served, and what could be done."""
        what = f"{self.op}: {got}" if got != "" else self.op
        return error(reason, problem, field=self.name, got=what, expected=expected, hint=hint)


def read_node(proto: onnx.NodeProto, opsets: Mapping[str, int]) -> Node:
    """Return a node of a graph whose model is written for these versions, by domain."""
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    return Node(
        op=f"{domain}.{proto.op_type}" if domain else proto.op_type,
        name=next((name for name in proto.output if name), proto.name),
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={each.name: _value(each) for each in proto.attribute},
        opset=opsets.get(domain, 1),
        proto=proto,
    )


def _value(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [each.decode(errors="replace") for each in value]
    return value

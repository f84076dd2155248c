"""Each activation as ONNX nodes."""

from collections.abc import Mapping
from typing import Any

from numbatch.convert.onnx.activations import SELU_ALPHA, SELU_GAMMA
from numbatch.convert.onnx.nodes_writer import NodesWriter
from numbatch.engine.activations import Function
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# Those that ONNX has: the operator and its attributes.
_OPERATORS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "linear": ("Identity", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "relu": ("Relu", {}),
    "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_GAMMA}),
    "gelu_erf": ("Gelu", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "mish": ("Mish", {}),
    "exponential": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
}


def write_activation(writer: NodesWriter, function: Function, x: str, output: str) -> None:
    """Add the nodes of an activation of x."""
    if function.name in _OPERATORS:
        op, attributes = _OPERATORS[function.name]
        writer.node(op, [x], output, **attributes)
    elif function.name == "leaky_relu":
        writer.node("LeakyRelu", [x], output, alpha=function.alpha)
    elif function.name == "elu":
        writer.node("Elu", [x], output, alpha=function.alpha)
    elif function.name == "relu6":
        bounds = [writer.constant(output, name, value) for name, value in (("least", 0), ("most", 6))]
        writer.node("Clip", [x, *bounds], output)
    elif function.name == "silu":
        writer.node("Mul", [x, writer.node("Sigmoid", [x], output, "sigmoid")], output)
    elif function.name == "log_sigmoid":
        minus = writer.node("Neg", [x], output, "minus")
        writer.node("Neg", [writer.node("Softplus", [minus], output, "softplus")], output)
    else:
        raise error(Reason.ACTIVATION_UNSUPPORTED, "has no ONNX form here", field=output, got=function.name)

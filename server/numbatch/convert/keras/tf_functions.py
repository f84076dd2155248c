"""Functions of TensorFlow in models of Keras 2, as the functions of `keras.ops` that they are."""

from collections.abc import Mapping
from typing import Any

# TFOpLambda names them by their places in TensorFlow; operators of Python come as __operators__.
_FUNCTIONS = {
    "__operators__.add": "Add",
    "__operators__.getitem": "GetItem",
    "cast": "Cast",
    "concat": "Concatenate",
    "identity": "Identity",
    "linalg.matmul": "Matmul",
    "math.add": "Add",
    "math.add_n": "Add",
    "math.divide": "Divide",
    "math.exp": "Exp",
    "math.maximum": "Maximum",
    "math.multiply": "Multiply",
    "math.negative": "Negative",
    "math.not_equal": "NotEqual",
    "math.reduce_mean": "Mean",
    "math.reduce_sum": "Sum",
    "math.sigmoid": "Sigmoid",
    "math.softplus": "Softplus",
    "math.square": "Square",
    "math.subtract": "Subtract",
    "math.tanh": "Tanh",
    "math.truediv": "Divide",
    "nn.elu": "Elu",
    "nn.gelu": "Gelu",
    "nn.leaky_relu": "LeakyRelu",
    "nn.log_softmax": "LogSoftmax",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.selu": "Selu",
    "nn.sigmoid": "Sigmoid",
    "nn.silu": "Silu",
    "nn.softmax": "Softmax",
    "nn.softplus": "Softplus",
    "nn.softsign": "Softsign",
    "nn.swish": "Silu",
    "nn.tanh": "Tanh",
    "reshape": "Reshape",
    "stop_gradient": "StopGradient",
}
# What they do where a call does not say otherwise, in the words of keras.ops.
_DEFAULTS: dict[str, Mapping[str, Any]] = {
    "Gelu": {"approximate": False},
    "LeakyRelu": {"negative_slope": 0.2},
    "Mean": {"axis": None},
    "Sum": {"axis": None},
}


def function_of_tensorflow(kind: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind and the config of the function of `keras.ops`; one that is not known stays as it is."""
    name = _FUNCTIONS.get(kind.removeprefix("tf."))
    if name is None:
        return kind, dict(config)
    return f"ops.{name}", {**config, **_DEFAULTS.get(name, {})}

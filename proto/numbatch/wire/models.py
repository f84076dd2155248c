"""Building a Model message in Python, and reading the weights back.

>>> model = sequential("tiny", [10], [dense(3, "sigmoid"), dense(5, "sigmoid")], seed=1)
>>> [layer.name for layer in model.layers]
['dense_0', 'dense_1']
>>> array_of(model.layers[0].dense.kernel).shape
(10, 3)
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from numbatch.v1.model_pb2 import Activation, Dense, Flatten, InputSpec, Layer, Model, Softmax, Weights
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, Tensor
from numbatch.wire.errors import error
from numbatch.wire.names import DEFAULT_ALPHAS, activation_function
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, array_bytes, as_float32, read_tensor, shape_text

NUMERIC_CONTRACT = "f32-1"


@dataclass(frozen=True)
class LayerSpec:
    """A layer that does not know yet how many features it will be given. Made by `dense`, `activation` and the like."""

    kind: str
    name: str = ""
    units: int = 0
    activation: str = ""
    alpha: float | None = None
    kernel: Float32Array | None = None
    bias: Float32Array | None = None
    use_bias: bool = True


def dense(
    units: int,
    activation: str = "linear",
    *,
    alpha: float | None = None,
    name: str = "",
    kernel: npt.ArrayLike | None = None,
    bias: npt.ArrayLike | None = None,
    use_bias: bool = True,
) -> LayerSpec:
    """Specify a dense layer, activation(x W + b), with the defaults of Keras.

    Parameters
    ----------
    units : int
        The number of neurons, 1 or more.
    activation : str
        "linear", "sigmoid", "tanh", "relu", "softmax" and the others of model.proto.
    alpha : float, optional
        The parameter of the activation: of "leaky_relu" (default 0.01) or "elu" (default 1). The others have none.
    name : str
        Empty: "dense_" and the position in the model.
    kernel : array_like of shape (features, units), optional
        W. Default: Glorot uniform, from the model's seed.
    bias : array_like of shape (units,), optional
        b. Default: zeros.
    use_bias : bool
        False: no bias.
    """
    if units < 1:
        raise error(Reason.INVALID_FIELD, field="units", got=units, expected="1 or more")
    _check_activation(activation, alpha)
    return LayerSpec(
        "dense",
        name,
        units,
        activation,
        alpha,
        None if kernel is None else as_float32(kernel, "kernel"),
        None if bias is None else as_float32(bias, "bias"),
        use_bias,
    )


def activation(function: str, *, alpha: float | None = None, name: str = "") -> LayerSpec:
    """Specify an activation alone; its name and alpha are as for `dense`."""
    _check_activation(function, alpha)
    return LayerSpec("activation", name, activation=function, alpha=alpha)


def softmax(*, name: str = "") -> LayerSpec:
    """Specify a softmax over the last axis."""
    return LayerSpec("softmax", name)


def flatten(*, name: str = "") -> LayerSpec:
    """Specify the joining of all axes of an example into one."""
    return LayerSpec("flatten", name)


def sequential(name: str, input_shape: Sequence[int], layers: Iterable[LayerSpec], *, seed: int | None = None) -> Model:
    """Build a model whose layers follow each other.

    Parameters
    ----------
    name : str
        The model's name.
    input_shape : sequence of int
        The axes of one example, without the batch.
    layers : iterable of LayerSpec
        One or more.
    seed : int, optional
        Of the generator that draws the kernels not given. Default: other kernels each time.

    Returns
    -------
    Model
        With inline weights, every layer named after its kind and position unless it has a name.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD or SHAPE_MISMATCH, if a part does not fit.
    """
    shape = list(input_shape)
    if not shape or min(shape) < 1:
        expected = "one or more axes of 1 or more"
        raise error(Reason.INVALID_FIELD, field="input_shape", got=shape_text(shape), expected=expected)
    model = Model(name=name, numeric_contract=NUMERIC_CONTRACT)
    model.inputs.append(InputSpec(name="input", data_type=DATA_TYPE_FLOAT32, shape=shape))
    rng = np.random.default_rng(seed)
    for position, spec in enumerate(layers):
        layer = model.layers.add(name=spec.name or f"{spec.kind}_{position}")
        if spec.kind == "dense":
            layer.dense.CopyFrom(_dense(spec, shape[-1], rng, f"layers[{position}]"))
            shape[-1] = spec.units
        elif spec.kind == "activation":
            layer.activation.CopyFrom(_activation(spec))
        elif spec.kind == "softmax":
            layer.softmax.CopyFrom(Softmax())
        else:
            layer.flatten.CopyFrom(Flatten())
            shape = [math.prod(shape)]
    if not model.layers:
        raise error(Reason.INVALID_FIELD, field="layers", got="none", expected="one or more")
    return model


def glorot_uniform(fan_in: int, fan_out: int, rng: np.random.Generator) -> Float32Array:
    """Draw a kernel uniformly from +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010), as Keras does by default.

    Returns
    -------
    ndarray of float32, shape (fan_in, fan_out)
    """
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)


def weights_of(array: npt.ArrayLike) -> Weights:
    """Return the message that holds an array as inline float32 weights."""
    values = as_float32(array, "weights")
    return Weights(data_type=DATA_TYPE_FLOAT32, shape=values.shape, data=bytes(array_bytes(values)))


def array_of(weights: Weights, field: str = "weights") -> Float32Array:
    """Return inline weights as a read-only array.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, SHAPE_MISMATCH or BYTE_COUNT_MISMATCH.
    """
    header = Tensor(data_type=weights.data_type or DATA_TYPE_FLOAT32, shape=weights.shape)
    return read_tensor(header, weights.data, field)


def set_weights(layer: Layer, kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> None:
    """Replace the weights of a dense layer; `units` follows the kernel, and without `bias` there is none."""
    layer.dense.kernel.CopyFrom(weights_of(kernel))
    layer.dense.units = layer.dense.kernel.shape[-1]
    layer.dense.ClearField("bias")
    if bias is not None:
        layer.dense.bias.CopyFrom(weights_of(bias))


def _dense(spec: LayerSpec, features: int, rng: np.random.Generator, field: str) -> Dense:
    kernel = glorot_uniform(features, spec.units, rng) if spec.kernel is None else spec.kernel
    _check_shape(kernel, [features, spec.units], f"{field}.kernel")
    message = Dense(units=spec.units, kernel=weights_of(kernel))
    if spec.use_bias:
        bias = np.zeros(spec.units, np.float32) if spec.bias is None else spec.bias
        _check_shape(bias, [spec.units], f"{field}.bias")
        message.bias.CopyFrom(weights_of(bias))
    if spec.activation != "linear":
        message.activation.CopyFrom(_activation(spec))
    return message


def _activation(spec: LayerSpec) -> Activation:
    return Activation(function=activation_function(spec.activation), alpha=spec.alpha)


def _check_activation(function: str, alpha: float | None) -> None:
    activation_function(function)
    if alpha is None:
        return
    if function not in DEFAULT_ALPHAS:
        raise error(Reason.INVALID_FIELD, f"{function} has no alpha", field="alpha", got=alpha, expected="none")
    if not math.isfinite(alpha):
        raise error(Reason.INVALID_FIELD, field="alpha", got=alpha, expected="a finite number")


def _check_shape(array: Float32Array, expected: list[int], field: str) -> None:
    if list(array.shape) != expected:
        got = shape_text(array.shape)
        raise error(Reason.SHAPE_MISMATCH, field=f"{field}.shape", got=got, expected=shape_text(expected))

"""Each kind of layer of numbatch as layers and functions of Keras."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numbatch.convert.keras.layer_writer import LayerWriter, Written
from numbatch.engine.activations import Function
from numbatch.engine.graph import Node
from numbatch.engine.weights import WeightsReader
from numbatch.v1.model_pb2 import POOLING_MEAN
from numbatch.wire.errors import error
from numbatch.wire.layers import taken_numbers
from numbatch.wire.reasons import Reason

_CLASSES = {
    "add": "Add",
    "concatenate": "Concatenate",
    "flatten": "Flatten",
    "multiply": "Multiply",
    "softmax": "Softmax",
}


def write_layer(node: Node, names: Mapping[str, str], taken: set[str], reader: WeightsReader) -> list[Written]:
    """Return what a layer is in Keras, the last of it under the layer's name.

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, if Keras has nothing that computes it.
    NumbatchError
        WEIGHTS_MISMATCH, WEIGHTS_CORRUPT and others, if its weights cannot be read.
    """
    writer = LayerWriter(node, names, taken, reader)
    _WRITERS[node.kind](writer)
    return writer.written


def _dense(to: LayerWriter) -> None:
    function, config = to.node.activation, {"units": to.node.layer.dense.units, "use_bias": to.has("bias")}
    arrays, built = to.arrays("kernel", "bias"), to.node.input_shape
    activation = _activation(function)
    if activation is not None:
        to.layer("Dense", {**config, "activation": activation}, arrays, built=built)
        return
    linear = to.layer("Dense", {**config, "activation": "linear"}, arrays, built=built, name=to.helper("linear"))
    _alone(to, function, (linear,))


def _activation_alone(to: LayerWriter) -> None:
    _alone(to, to.node.activation, to.inputs)


def _alone(to: LayerWriter, function: Function, inputs: tuple[str, ...]) -> None:
    activation = _activation(function)
    if activation is None:
        to.layer("Gelu", {"approximate": True}, inputs=inputs, module="keras.src.ops.nn")
    elif isinstance(activation, str):
        to.layer("Activation", {"activation": activation}, inputs=inputs)
    else:
        to.layer(activation["class_name"], activation["config"], inputs=inputs)


def _activation(function: Function) -> Any:
    """Return an activation as the config of a layer has it: a name, or a layer; None for what only keras.ops has."""
    if function.name == "gelu_tanh":
        return None
    if function.name == "leaky_relu":
        return _as_layer("LeakyReLU", negative_slope=float(function.alpha))
    if function.name == "elu" and function.alpha != 1:
        return _as_layer("ELU", alpha=float(function.alpha))
    return "gelu" if function.name == "gelu_erf" else function.name


def _as_layer(kind: str, **config: float) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _plain(to: LayerWriter) -> None:
    to.layer(_CLASSES[to.node.kind], {})


def _reshape(to: LayerWriter) -> None:
    to.layer("Reshape", {"target_shape": list(to.node.output_shape)})


def _batch_normalization(to: LayerWriter) -> None:
    config = {
        "axis": -1,
        "epsilon": _epsilon(to.node.layer.batch_normalization),
        "center": to.has("offset"),
        "scale": to.has("scale"),
    }
    arrays = to.arrays("scale", "offset", "mean", "variance")
    to.layer("BatchNormalization", config, arrays, built=to.node.input_shape)


def _normalization(to: LayerWriter) -> None:
    arrays = [*to.arrays("mean", "variance"), np.zeros((), np.int32)]  # the last counts what it was adapted to
    to.layer("Normalization", {"axis": -1}, arrays, built=to.node.input_shape)


def _layer_normalization(to: LayerWriter) -> None:
    config = {
        "axis": -1,
        "epsilon": _epsilon(to.node.layer.layer_normalization),
        "center": to.has("offset"),
        "scale": to.has("scale"),
    }
    to.layer("LayerNormalization", config, to.arrays("scale", "offset"), built=to.node.input_shape)


def _epsilon(message: Any) -> float:
    return float(message.epsilon) if message.HasField("epsilon") else 0.001


def _embedding(to: LayerWriter) -> None:
    message, shape, inputs = to.node.layer.embedding, to.node.input_shape, to.inputs
    start, stop = taken_numbers(to.node.layer, shape[-1])
    if stop - start < shape[-1]:
        inputs = (_part(to, shape, start, stop, to.helper("ids")),)
        shape = (*shape[:-1], stop - start)
    config = {"input_dim": message.vocabulary_size, "output_dim": message.units}
    (table,) = to.arrays("table")
    if not message.pooling:
        to.layer("Embedding", config, [table], built=shape, inputs=inputs)
        return
    rows, padded = to.helper("rows"), message.HasField("padding_id")
    if message.pooling != POOLING_MEAN and padded:
        table = np.array(table)
        table[message.padding_id] = 0  # a row that adds nothing
    elif padded and (message.padding_id or len(shape) > 1):
        raise error(
            Reason.FEATURE_UNSUPPORTED,
            "a mean that leaves rows out",
            field=f"{to.node.field}.embedding.padding_id",
            got=message.padding_id,
            expected="0, with row numbers of one axis: that is what Keras leaves out",
        )
    is_masked = padded and message.pooling == POOLING_MEAN
    to.layer("Embedding", {**config, "mask_zero": is_masked}, [table], built=shape, name=rows, inputs=inputs)
    if is_masked:
        to.layer("GlobalAveragePooling1D", {}, inputs=(rows,))
    else:
        kind = "Mean" if message.pooling == POOLING_MEAN else "Sum"
        to.layer(kind, {"axis": -2, "keepdims": False}, inputs=(rows,), module="keras.src.ops.numpy")


def _slice(to: LayerWriter) -> None:
    _part(to, to.node.input_shape, to.node.layer.slice.start, to.node.layer.slice.stop)


def _part(to: LayerWriter, shape: Sequence[int], start: int, stop: int, name: str = "") -> str:
    whole = [_as_slice(None, None)] * len(shape)  # the batch, and all axes but the last
    return to.layer(
        "GetItem", {}, name=name, module="keras.src.ops.numpy", arguments=[[*whole, _as_slice(start, stop)]]
    )


def _as_slice(start: int | None, stop: int | None) -> dict[str, Any]:
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": None}}


_WRITERS: dict[str, Callable[[LayerWriter], None]] = {
    "activation": _activation_alone,
    "batch_normalization": _batch_normalization,
    "dense": _dense,
    "embedding": _embedding,
    "layer_normalization": _layer_normalization,
    "normalization": _normalization,
    "reshape": _reshape,
    "slice": _slice,
    **dict.fromkeys(_CLASSES, _plain),
}

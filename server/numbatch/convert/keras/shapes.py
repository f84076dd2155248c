"""What moves elements and does not change them: flatten, reshape, concatenate, casts."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numbatch.convert.keras.activations import is_last
from numbatch.convert.keras.values import Input, Part, Use, Value, Whole
from numbatch.wire.reasons import Reason


def _flatten(use: Use) -> Value:
    x = use.x
    if use.parameter("data_format") == "channels_first" and len(x.shape) > 1:
        raise use.operation.refusal(
            "with channels first", reason=Reason.FEATURE_UNSUPPORTED, expected='data_format="channels_last"'
        )
    return use.to.graph.flatten(x, name=use.name)


def _reshape_layer(use: Use) -> Value:
    return use.to.graph.reshape(use.x, [int(axis) for axis in use.operation.config["target_shape"]], name=use.name)


def _reshape(use: Use) -> Value:
    x = use.x
    shape = use.parameter("newshape") or use.parameter("shape") or _rest(use)
    axes = [-1 if axis is None else int(axis) for axis in shape]
    keeps_batch = len(axes) > 1 and axes[0] == -1 and -1 not in axes[1:] and math.prod(axes[1:]) == math.prod(x.shape)
    if not keeps_batch:
        raise use.operation.refusal(
            f"to the shape {list(shape)}",
            expected="-1 for the batch, then the axes of one example",
            hint="or use Reshape",
        )
    return use.to.graph.reshape(x, axes[1:], name=use.name)


def _rest(use: Use) -> Any:
    return use.args[1] if len(use.args) > 1 else ()


def _expand(use: Use) -> Value:
    x, axis = use.x, use.parameter("axis")
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(x.shape) + 1 + len(axes)
    places = sorted(each % rank for each in axes)
    if 0 in places:
        raise use.operation.refusal("an axis before the batch")
    shape = list(x.shape)
    for place in places:
        shape.insert(place - 1, 1)
    return use.to.graph.reshape(x, shape, name=use.name)


def _squeeze(use: Use) -> Value:
    x, axis = use.x, use.parameter("axis")
    rank = len(x.shape) + 1
    if axis is None:
        places = {i + 1 for i, length in enumerate(x.shape) if length == 1}
    else:
        places = {each % rank for each in ([axis] if isinstance(axis, int) else axis)}
    shape = [length for i, length in enumerate(x.shape) if i + 1 not in places]
    if 0 in places or not shape:
        raise use.operation.refusal("nothing but the batch would be left, or not even that")
    return use.to.graph.reshape(x, shape, name=use.name)


def _concatenate(use: Use) -> Value:
    arrays = [use.to.floats(each, use) for each in use.operands]
    axis = use.parameter("axis", -1)
    if not is_last(axis, len(arrays[0].shape) + 1):
        raise use.operation.refusal(
            f"along axis {axis}", reason=Reason.FEATURE_UNSUPPORTED, expected="axis=-1, the last"
        )
    if len(arrays) == 1:
        return use.to.graph.activation(arrays[0], "linear", name=use.name)
    return use.to.graph.concatenate(arrays, name=use.name)


def _cast(use: Use) -> Value:
    kind = str(use.parameter("dtype", use.operands[1] if len(use.operands) > 1 else ""))
    value = use.value
    if "int" in kind and isinstance(value, Input | Part | Whole):
        return value if isinstance(value, Whole) else Whole(value)
    if "float" not in kind or isinstance(value, Whole):
        raise use.operation.refusal(f"a cast to {kind}", expected="to float32")
    result: Value = value
    return result


def _left_out(use: Use) -> Value:
    if use.parameter("training") is True and use.operation.kind not in ("Identity", "ActivityRegularization"):
        raise use.operation.refusal("called with training=True", hint="it is served as in inference: call it without")
    result: Value = use.to.leave_out(use)
    return result


def _get_item(use: Use) -> Value:
    given = use.args[1] if len(use.args) > 1 else use.parameter("key", use.parameter("slice_spec"))
    key = tuple(_index(each) for each in (given if isinstance(given, list | tuple) else [given]))
    value: Any = use.value if isinstance(use.value, Input) else use.x
    if not key or key[0] not in (slice(None), ...):
        raise use.operation.refusal("some of the examples of a batch", expected="all of them: x[:, ...]")
    places = np.arange(math.prod(value.shape)).reshape(value.shape)
    chosen = places[key if key[0] is ... else key[1:]]
    if not chosen.size:
        raise use.operation.refusal("nothing of each example")
    first, last = int(chosen.flat[0]), int(chosen.flat[-1])
    width = value.shape[-1]
    start, stop = first % width, last % width + 1
    alone = chosen.shape == places.shape[:-1]
    if np.array_equal(chosen, places[..., start] if alone else places[..., start:stop]):
        if isinstance(value, Input):
            return Part(value, start, stop, alone)
        if not alone:
            return use.to.graph.slice(value, start, stop, name=use.name)
    if not np.array_equal(chosen.ravel(), np.arange(first, last + 1)) or not chosen.ndim:
        expected = "elements next to each other, with an axis of their own: x[:, 1:3]"
        raise use.operation.refusal("elements that are served no other way than together", expected=expected)
    flat = use.to.graph.flatten(use.x, name=f"{use.name}/flat")
    part = use.to.graph.slice(flat, first, last + 1, name=f"{use.name}/part")
    return use.to.graph.reshape(part, chosen.shape, name=use.name)


def _index(given: Any) -> Any:
    if isinstance(given, Mapping):  # of Keras 2
        return slice(given.get("start"), given.get("stop"), given.get("step"))
    return given


HANDLERS: dict[str, Callable[[Use], Any]] = {
    "Concatenate": _concatenate,
    "Flatten": _flatten,
    "Reshape": _reshape_layer,
    "ops.Cast": _cast,
    "ops.Concatenate": _concatenate,
    "ops.ExpandDims": _expand,
    "ops.GetItem": _get_item,
    "ops.Reshape": _reshape,
    "ops.Squeeze": _squeeze,
    **dict.fromkeys(
        "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise Identity SpatialDropout1D "
        "SpatialDropout2D SpatialDropout3D ops.ConvertToTensor ops.Copy ops.Identity ops.StopGradient".split(),
        _left_out,
    ),
}

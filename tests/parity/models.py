"""The models of the lessons, as numbatch has them."""

import re
from typing import Any

import numpy as np

from numbatch.models import Activation, Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model
from parity.lessons import LESSONS, Arrays
from support.agreement import ulps

# How far a layer may be from TensorFlow's, in units in the last place.
#
# A sum of K products is rounded K times or so, by either and in its own order, each time by half a unit of what has
# been summed up: hence a unit here is one of the largest sum of magnitudes, |x| |W| + |b|, where a layer is linear or
# ReLU. K is 16 at most, and the errors of both are as good as random: about sqrt(16) / 2 units. Sigmoid and tanh do not
# enlarge a difference of their arguments, and 1 is their largest output; TensorFlow's own are up to 3 units off
# mathematics. The most that was seen is 4.
MOST_ULPS = 8.0


def model_name(lesson: str) -> str:
    """What its model is called on a server."""
    return re.sub(r"[^a-z0-9]+", "-", lesson)


def model_of(lesson: str, arrays: Arrays, axes: tuple[int, ...] = ()) -> Model:
    """A lesson's model, with the weights that TensorFlow had; `axes` are those of an example before the features."""
    layers: list[Any] = [Input((*axes, arrays["x"].shape[-1]))]
    for name, function in LESSONS[lesson]:
        weights = [arrays[key] for key in (f"{name}.kernel", f"{name}.bias") if key in arrays]
        if weights:
            units, use_bias = weights[0].shape[1], len(weights) > 1
            layers.append(Dense(units, function, use_bias=use_bias, weights=weights, name=name))
        else:
            layers.append(Activation(function, name=name))
    return Sequential(layers, name=model_name(lesson)).to_message()


def distance(lesson: str, name: str, ours: Any, taught: Arrays) -> float:
    """How far a layer's output is from what was taught, in those units."""
    functions = dict(LESSONS[lesson])
    if functions[name] not in ("linear", "relu") or f"{name}.kernel" not in taught:
        return ulps(ours, taught[name])
    names = list(functions)
    before = taught[names[names.index(name) - 1]] if name != names[0] else taught["x"]
    summed = abs(before) @ abs(taught[f"{name}.kernel"]) + abs(taught.get(f"{name}.bias", np.float32(0)))
    return ulps(ours, taught[name], unit_of=summed)

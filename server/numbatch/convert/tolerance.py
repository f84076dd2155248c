"""How far two right answers may be apart: float32 sums of the same terms in another order.

An output is the end of a chain of roundings: a dense layer of K inputs adds K terms, a normalisation or a softmax those
of its row, an activation computes some steps. Each rounding is off by up to half an ulp, 2^-24 of what it rounds, and
as their signs are random, N of them are off by about sqrt(N) together, of what a sum reaches on its way, which is as
large as the output's largest element. So far apart are two libraries that round in different places; measured on
networks of 1 to 30 layers with 1 to 4096 inputs against float64, our outputs were 0.1 to 1 times that away. Sixteen
times it is allowed: the other library rounds too, and a softmax of logits of 30 is so many times less precise.

A wrong formula is further away: gelu by tanh instead of erf by 1e-4 of the largest element, the epsilon of another
framework's normalisation by 5e-4. What no such bound can know is a network that takes differences of large numbers.
"""

import math

from numbatch.v1.model_pb2 import Layer, Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.layers import ArrayType, output_type

_HALF_AN_ULP = 2.0**-24
_ALLOWED = 16.0

# Roundings of an elementwise function: some steps, and two libraries with two approximations.
_OF_A_FUNCTION = 16


def tolerances(model: Model) -> dict[str, float]:
    """Return how far each output may be from the original's, by the output's largest element.

    Parameters
    ----------
    model : Model
        Whose layers are named and come after what they take.
    """
    types = {spec.name: ArrayType(tuple(spec.shape), spec.data_type == DATA_TYPE_INT32) for spec in model.inputs}
    roundings = dict.fromkeys(types, 1)
    previous = model.inputs[0].name
    for i, layer in enumerate(model.layers):
        taken = list(layer.inputs) or [previous]
        inputs = [types[name] for name in taken]
        types[layer.name] = output_type(layer, inputs, f"model.layers[{i}]")
        roundings[layer.name] = max(roundings[name] for name in taken) + _roundings(layer, inputs)
        previous = layer.name
    outputs = list(model.outputs) or [previous]
    return {name: _ALLOWED * _HALF_AN_ULP * math.sqrt(roundings[name]) for name in outputs}


def _roundings(layer: Layer, inputs: list[ArrayType]) -> int:
    kind, last_axis = layer.WhichOneof("kind"), inputs[0].shape[-1]
    if kind in ("flatten", "reshape", "concatenate"):
        return 0
    if kind in ("add", "multiply"):
        return len(inputs)
    if kind == "embedding":
        return last_axis if layer.embedding.pooling else 0
    if kind == "dense":
        return last_axis + (_OF_A_FUNCTION if layer.dense.HasField("activation") else 1)
    if kind in ("softmax", "layer_normalization"):
        return last_axis + _OF_A_FUNCTION
    return _OF_A_FUNCTION

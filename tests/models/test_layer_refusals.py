"""Layers that do not fit: each error names the layer, what came and what was expected."""

from collections.abc import Callable

import numpy as np
import pytest

from numbatch.models import (
    ELU,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Dense,
    Embedding,
    Input,
    Layer,
    Normalization,
    ReLU,
    Rescaling,
    Reshape,
    Sequential,
    Softmax,
    Symbol,
)
from numbatch.wire.errors import InvalidArgumentError, InvalidModelError, NumbatchError, UnsupportedError


def built(layer: Layer, *shape: int) -> Layer:
    layer(Input(shape))
    return layer


def symbols(*shapes: tuple[int, ...]) -> list[Symbol]:
    return [Input(shape) for shape in shapes]


BAD: dict[str, tuple[Callable[[], object], type[NumbatchError], str]] = {
    "an array instead of a symbol": (
        lambda: Dense(3, name="out")(np.ones((2, 4))),
        InvalidArgumentError,
        "out.inputs[0]: got ndarray, expected a symbol: what Input(...) or a layer returns; numbers are computed ",
    ),
    "two symbols for one": (
        lambda: Dense(3, name="out")(symbols((2,), (2,))),
        InvalidModelError,
        "out.inputs: dense takes one: got 2, expected one",
    ),
    "one symbol for two": (
        lambda: Add()(Input((2,))),
        InvalidModelError,
        "add.inputs: add takes 2 or more: got 1, expected 2 or more",
    ),
    "a sum of two ranks": (
        lambda: Add(name="sum")(symbols((2,), (2, 2))),
        InvalidModelError,
        "sum.inputs[1]: shape: got [2, 2], expected that of the first, [2]",
    ),
    "neighbours that do not fit": (
        lambda: Concatenate()(symbols((2, 3), (4, 3))),
        InvalidModelError,
        "concatenate.inputs[1]: shape: got [4, 3], expected that of the first, [2, 3], but for the last axis",
    ),
    "row numbers where numbers belong": (
        lambda: Dense(3)(Input((2,), dtype="int32")),
        InvalidModelError,
        "dense.inputs[0]: dense: type of elements; only embedding takes row numbers, and nothing else: got int32, exp",
    ),
    "an embedding of numbers": (
        lambda: Embedding(4, 2)(Input((2,))),
        InvalidModelError,
        "embedding.inputs[0]: embedding: type of elements; only embedding takes row numbers, and nothing else: got",
    ),
    "another input than before": (
        lambda: built(Dense(3, name="out"), 4)(Input((5,))),
        InvalidModelError,
        "out.kernel: another input: got [5, 3], expected [4, 3], as it was built before",
    ),
    "a shape that has other elements": (
        lambda: Reshape((5, 2))(Input((12,))),
        InvalidModelError,
        "reshape.reshape.shape: got [5, 2], expected the 12 elements of the input's [12]",
    ),
    "a kernel of another shape": (
        lambda: built(Dense(3, name="out"), 4).set_weights([np.ones((3, 4)), np.ones(3)]),
        InvalidModelError,
        "out.kernel: shape: got [3, 4], expected [4, 3]",
    ),
    "a kernel that was given and does not fit": (
        lambda: built(Dense(3, name="out", weights=[np.ones((3, 4)), np.ones(3)]), 4),
        InvalidModelError,
        "out.kernel: shape: got [3, 4], expected [4, 3]",
    ),
    "a bias for a layer that has none": (
        lambda: Dense(3, use_bias=False, weights=[np.ones((4, 3)), np.ones(3)]),
        InvalidModelError,
        "dense.weights: number of arrays: got 2, expected 1: dense.kernel",
    ),
    "weights before it is built": (
        lambda: Dense(3, name="out").get_weights(),
        InvalidArgumentError,
        "out.kernel: not built yet, so it has no shape; call the layer on a symbol, such as Input((10,)), or put it",
    ),
    "a count before it is built": (lambda: Dense(3).count_params(), InvalidArgumentError, "dense.kernel: not built"),
    "a normalisation of nothing": (
        lambda: Sequential([Input((2,)), Normalization(name="scaled")]).to_message(),
        InvalidArgumentError,
        "scaled.mean: not known; give mean and variance, or call adapt(data)",
    ),
    "a mean alone": (
        lambda: Normalization(mean=0.0),
        InvalidArgumentError,
        "normalization.mean: got one of mean and variance, expected both, or neither and adapt(data)",
    ),
    "data that are not finite": (
        lambda: Normalization().adapt([[np.nan]]),
        InvalidArgumentError,
        "normalization.adapt(data): got NaN or infinity, expected finite numbers of shape (examples, features)",
    ),
    "data of one example": (
        lambda: Normalization().adapt([1.0, 2.0]),
        InvalidArgumentError,
        "normalization.adapt(data): got (2,), expected finite numbers of shape (examples, features)",
    ),
    "no units": (lambda: Dense(0, name="out"), InvalidArgumentError, "out.units: got 0, expected 1 to 65536"),
    "no such activation": (
        lambda: Dense(3, "sigmod", name="out"),
        InvalidArgumentError,
        "out.activation: no such activation: got 'sigmod', expected linear, sigmoid, tanh, relu",
    ),
    "an activation that is none": (
        lambda: Dense(3, np.tanh),  # type: ignore[arg-type]
        InvalidArgumentError,
        "dense.activation: got ufunc, expected a name such as 'relu', or a layer such as LeakyReLU(0.1)",
    ),
    "an alpha of a function that has none": (
        lambda: Activation("relu", alpha=0.5),
        InvalidArgumentError,
        "activation.activation: relu has no alpha: got 0.5, expected none",
    ),
    "an alpha that is not finite": (
        lambda: ELU(float("nan")),
        InvalidArgumentError,
        "elu.activation: alpha: got nan, expected a finite number",
    ),
    "a relu that is not in the contract": (
        lambda: ReLU(threshold=1.0, name="gate"),
        UnsupportedError,
        "gate: got max_value=None, negative_slope=0.0, threshold=1.0, expected max_value=6, or negative_slope, or none",
    ),
    "another axis than the last": (
        lambda: Softmax(axis=1)(Input((4, 6))),
        UnsupportedError,
        "softmax.axis: got 1, expected -1 or 2, the last",
    ),
    "an epsilon of 0": (
        lambda: BatchNormalization(epsilon=0.0, name="bn"),
        InvalidArgumentError,
        "bn.epsilon: got 0.0, expected a number above 0",
    ),
    "a padding without pooling": (
        lambda: Embedding(4, 2, padding_id=0),
        InvalidArgumentError,
        "embedding.padding_id: got 0, expected none without pooling",
    ),
    "a padding outside the table": (
        lambda: Embedding(4, 2, pooling="sum", padding_id=4),
        InvalidArgumentError,
        "embedding.padding_id: got 4, expected 0 to 3",
    ),
    "no such pooling": (
        lambda: Embedding(4, 2, pooling="max"),
        InvalidArgumentError,
        "embedding.pooling: got 'max', expected None, 'sum' or 'mean'",
    ),
    "a scale of another length": (
        lambda: Rescaling([1, 2, 3], name="scaled")(Input((2,))),
        InvalidArgumentError,
        "scaled.scale.shape: got [3], expected a number, or [2] as its input's last axis",
    ),
    "a name that is none": (
        lambda: Dense(3, name="my layer"),
        InvalidArgumentError,
        "name: got 'my layer', expected letters, digits and . _ - / :, at most 128, a letter or digit first",
    ),
    "an input without axes": (
        lambda: Input((), name="x"),
        InvalidArgumentError,
        "x.shape: got (), expected a tuple of one or more axes of 1 or more, without the batch: (10,)",
    ),
    "an input with the batch": (
        lambda: Input((None, 10)),  # type: ignore[arg-type]
        InvalidArgumentError,
        "input.shape: got (None, 10), expected a tuple of one or more axes of 1 or more, without the batch: (10,)",
    ),
    "an input of text": (
        lambda: Input((2,), dtype="string"),
        InvalidArgumentError,
        "input.dtype: got 'string', expected float32, or int32 for row numbers",
    ),
}


@pytest.mark.parametrize(("make", "kind", "message"), BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_refused_by_name(
    make: Callable[[], object], kind: type[NumbatchError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert caught.value.message.startswith(message)

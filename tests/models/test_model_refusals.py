"""Models that do not fit: each error names the layer, what came and what was expected."""

from collections.abc import Callable

import numpy as np
import pytest

from numbatch.models import (
    Add,
    Dense,
    Input,
    Model,
    Sequential,
)
from numbatch.wire.errors import InvalidArgumentError, InvalidModelError, NumbatchError


def twice() -> object:
    x = Input((2,))
    return Model(x, Dense(2, name="a")(Dense(2, name="a")(x)))


def of_another_input() -> object:
    x, y = Input((2,), name="x"), Input((2,), name="y")
    return Model(x, Add()([x, y]), name="net")


def of_a_layer() -> object:
    x = Dense(2)(Input((2,)))
    return Model(x, Dense(2)(x))


def unknown_layer() -> object:
    return Sequential([Input((2,)), Dense(1)], name="net").get_layer("dense_7")


def built_twice() -> None:
    model = Sequential([Input((2,)), Dense(1)])
    model.build((None, 2))


def called_by_another_name() -> object:
    a = Input((2,))
    return Model({"a": a}, Dense(1)(a), name="net")({"b": Input((2,))})


BAD: dict[str, tuple[Callable[[], object], type[NumbatchError], str]] = {
    "a name given twice": (
        twice,
        InvalidArgumentError,
        "model: name: twice: got 'a', expected a name of its own for each input, layer and output",
    ),
    "a layer called as the input": (
        lambda: Sequential([Input((2,), name="x"), Dense(1, name="x")]).to_message(),
        InvalidArgumentError,
        "sequential: name: twice: got 'x'",
    ),
    "outputs of another input": (
        of_another_input,
        InvalidArgumentError,
        "net.inputs: its outputs depend on an input that is not among its own: got <Symbol y: (None, 2) float32>, exp",
    ),
    "an input that is none": (
        of_a_layer,
        InvalidArgumentError,
        "model.inputs[0]: got <Symbol dense: (None, 2) float32>, expected what Input(...) returns",
    ),
    "inputs alone": (
        lambda: Model(Input((2,))),
        InvalidArgumentError,
        "model.inputs: got one of inputs and outputs, expected both, or neither and call()",
    ),
    "no outputs": (
        lambda: Model(Input((2,)), []),
        InvalidArgumentError,
        "model.outputs: got none, expected one or more",
    ),
    "no layers": (
        lambda: Sequential([Input((2,))]).to_message(),
        InvalidArgumentError,
        "sequential.layers: got none, expected one or more",
    ),
    "not built": (
        lambda: Sequential([Dense(1)], name="net").to_message(),
        InvalidArgumentError,
        "net: not built yet; build((None, 10)) it, or call it on symbols",
    ),
    "built twice": (
        built_twice,
        InvalidArgumentError,
        "sequential.build: got (None, 2), expected no shape: it is built",
    ),
    "a shape without the batch": (
        lambda: Sequential([Dense(1)]).build((32, 10)),
        InvalidArgumentError,
        "sequential.build: got (32, 10), expected the batch first: (None, 10)",
    ),
    "no call": (
        lambda: Model(name="net").build((None, 2)),
        InvalidArgumentError,
        "net.call: got none, expected Model(inputs, outputs), or a class with call(self, inputs)",
    ),
    "an input after a layer": (
        lambda: Sequential([Dense(1), Input((2,))]),
        InvalidArgumentError,
        "sequential.layers[1]: got <Symbol input: (None, 2) float32>, expected a layer: an Input comes first",
    ),
    "no layer at all": (
        lambda: Sequential([Input((2,)), "relu"]),  # type: ignore[list-item]
        InvalidArgumentError,
        "sequential.layers[0]: got 'relu', expected a layer, such as Dense(3)",
    ),
    "an output of a layer that was not called": (
        lambda: Dense(1, name="end").output,
        InvalidArgumentError,
        "end.output: got 0, expected one call of the layer",
    ),
    "an unknown layer": (
        unknown_layer,
        InvalidArgumentError,
        "net: got 'dense_7', expected dense",
    ),
    "a model called on another shape": (
        lambda: Sequential([Input((2,)), Dense(1)], name="tower")(Input((3,))),
        InvalidModelError,
        "tower.inputs[0]: got (None, 3) float32, expected (None, 2) float32",
    ),
    "a model called on too many": (
        lambda: Sequential([Input((2,)), Dense(1)], name="tower")([Input((2,)), Input((2,))]),
        InvalidArgumentError,
        "tower.inputs: got 2, expected one",
    ),
    "a model called by another name": (called_by_another_name, InvalidArgumentError, "net.inputs: got b, expected a"),
    "a model called on numbers": (
        lambda: Sequential([Input((2,)), Dense(1)], name="tower")(np.ones((4, 2))),
        InvalidArgumentError,
        "tower.inputs[0]: got ndarray, expected a symbol",
    ),
    "a name of a model that is none": (
        lambda: Sequential([Input((2,)), Dense(1)]).to_message("my model"),
        InvalidArgumentError,
        "name: got 'my model', expected 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or a digit",
    ),
    "an error in a long chain says where": (
        lambda: Sequential([Input((2,)), Dense(3), Dense(1, weights=[np.ones((2, 1)), [0]])]),
        InvalidModelError,
        "dense_1.kernel: shape: got [2, 1], expected [3, 1]",
    ),
}


@pytest.mark.parametrize(("make", "kind", "message"), BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_refused_by_name(
    make: Callable[[], object], kind: type[NumbatchError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert caught.value.message.startswith(message)

"""Names of models, layers and activations."""

import pytest

from numbatch.v1.model_pb2 import ActivationFunction
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.names import activation_function, activation_name, is_layer_name, is_model_name, model_name

NAMES = [
    # name, of a model?, of a layer or an input?
    ("digits", True, True),
    ("7", True, True),
    ("ResNet-50_v1.5", True, True),
    ("a" * 128, True, True),
    ("a" * 129, False, False),
    ("", False, False),
    ("encoder/dense:0", False, True),
    ("/etc", False, False),
    ("..", False, False),
    (".hidden", False, False),
    ("-rf", False, False),
    ("a b", False, False),
    ("digits\n", False, False),
    ("zahlön", False, False),
    ("٣", False, False),
]


@pytest.mark.parametrize(("name", "model", "layer"), NAMES)
def test_names_are_short_plain_and_no_paths(name: str, model: bool, layer: bool) -> None:
    assert (is_model_name(name), is_layer_name(name)) == (model, layer)


def test_every_activation_is_found_by_its_name() -> None:
    numbers = [number for number in ActivationFunction.values() if number]
    assert [activation_function(activation_name(number)) for number in numbers] == numbers
    assert activation_name(ActivationFunction.ACTIVATION_FUNCTION_GELU_ERF) == "gelu_erf"


@pytest.mark.parametrize("name", ["", "unspecified", "rectified", "ACTIVATION_FUNCTION_RELU"])
def test_an_activation_that_is_none_is_refused_with_the_list_of_those_there_are(name: str) -> None:
    with pytest.raises(
        InvalidArgumentError, match=rf"got '{name}', expected linear, sigmoid, .*log_softmax \(INVALID_FIELD\)$"
    ):
        activation_function(name)


def test_an_activation_of_a_later_version_still_has_a_name() -> None:
    assert activation_name(99) == "activation 99"


@pytest.mark.parametrize(
    ("text", "name"),
    [("tower", "tower"), ("my tower (2)", "my_tower_2_"), ("../x", "x"), ("", "model"), ("é", "model")],
)
def test_any_text_becomes_a_name_that_a_model_may_have(text: str, name: str) -> None:
    assert model_name(text) == name
    assert is_model_name(model_name(text))

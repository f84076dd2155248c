"""Activations: as operators, and composed of others as exporters write them."""

import math

import pytest

from numbatch.convert import from_onnx
from numbatch.wire.names import activation_name
from support.onnx_models import assert_agrees, onnx_model

OPERATORS = [
    ("Relu(x)", "relu"),
    ("Clip(x, zero, six)", "relu6"),
    ("LeakyRelu<alpha = 0.3>(x)", "leaky_relu"),
    ("LeakyRelu(x)", "leaky_relu"),
    ("Elu<alpha = 0.3>(x)", "elu"),
    ("Celu(x)", "elu"),
    ("Selu(x)", "selu"),
    ("Gelu(x)", "gelu_erf"),
    ('Gelu<approximate = "tanh">(x)', "gelu_tanh"),
    ("Sigmoid(x)", "sigmoid"),
    ("Tanh(x)", "tanh"),
    ("Softplus(x)", "softplus"),
    ("Softsign(x)", "softsign"),
    ("HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)", "hard_sigmoid"),
    ("HardSwish(x)", "hard_silu"),
    ("Mish(x)", "mish"),
    ("Exp(x)", "exponential"),
    ("LogSoftmax(x)", "log_softmax"),
    ("Max(x, zero)", "relu"),
]
COMPOSED = {
    "silu": ["s = Sigmoid(x) y = Mul(x, s)"],
    "gelu_erf": [
        "a = Div(x, sqrt2) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)",
        "a = Mul(x, half) b = Mul(x, sqrt_half) c = Erf(b) d = Add(one, c) y = Mul(a, d)",
        "a = Div(x, sqrt2) b = Erf(a) c = Add(b, one) d = Mul(half, c) y = Mul(x, d)",
    ],
    "gelu_tanh": [
        """
        a = Pow(x, three) b = Mul(a, k) c = Add(x, b) d = Mul(c, root) e = Tanh(d) f = Add(e, one) g = Mul(x, half)
        y = Mul(g, f)
        """,
        """
        a = Mul(x, x) b = Mul(x, a) c = Mul(k, b) d = Add(x, c) e = Mul(root, d) f = Tanh(e) g = Add(one, f)
        h = Mul(half, x) y = Mul(h, g)
        """,
        """
        a = Mul(x, k) b = Mul(a, x) c = Add(b, one) d = Mul(x, root) e = Mul(d, c) f = Tanh(e) g = Add(f, one)
        h = Mul(x, g) y = Mul(h, half)
        """,
    ],
    "mish": ["a = Softplus(x) b = Tanh(a) y = Mul(x, b)"],
    "hard_silu": [
        "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six)",
        "a = Add(x, three) b = Clip(a, zero, six) c = Div(b, six) y = Mul(x, c)",
    ],
    "hard_sigmoid": ["a = Add(x, three) b = Clip(a, zero, six) y = Div(b, six)"],
    "log_sigmoid": ["a = Sigmoid(x) y = Log(a)", "a = Neg(x) b = Softplus(a) y = Neg(b)"],
    "log_softmax": ["a = Softmax<axis = -1>(x) y = Log(a)"],
    "sigmoid": ["a = Neg(x) b = Exp(a) c = Add(b, one) y = Reciprocal(c)"],
    "softplus": ["a = Exp(x) b = Add(a, one) y = Log(b)", "a = Greater(x, many) b = Softplus(x) y = Where(a, x, b)"],
    "softsign": ["a = Abs(x) b = Add(a, one) y = Div(x, b)"],
    "relu6": ["a = Relu(x) y = Min(a, six)"],
}
NUMBERS = {
    "zero": 0,
    "half": 0.5,
    "one": 1,
    "three": 3,
    "six": 6,
    "many": 20,
    "k": 0.044715,
    "sqrt2": math.sqrt(2),
    "sqrt_half": math.sqrt(0.5),
    "root": math.sqrt(2 / math.pi),
}


@pytest.mark.parametrize(("node", "function"), OPERATORS, ids=[node for node, _ in OPERATORS])
def test_operators(node: str, function: str) -> None:
    converted = from_onnx(onnx_model(f"y = {node}", NUMBERS, opset=20))
    assert [activation_name(layer.activation.function) for layer in converted.model.layers] == [function]
    assert_agrees(converted)


@pytest.mark.parametrize(
    ("function", "body"), [(function, body) for function, bodies in COMPOSED.items() for body in bodies]
)
def test_what_exporters_compose_is_one_activation(function: str, body: str) -> None:
    converted = from_onnx(onnx_model(body, NUMBERS))
    assert [activation_name(layer.activation.function) for layer in converted.model.layers] == [function]
    assert converted.model.layers[0].name == "y"
    assert_agrees(converted)


def test_a_part_of_a_pattern_that_is_asked_for_is_a_layer_as_well() -> None:
    model = onnx_model("s = Sigmoid(x) y = Mul(x, s)", outputs="float[N,8] y, float[N,8] s")
    converted = from_onnx(model)
    assert [layer.name for layer in converted.model.layers] == ["s", "y"]
    assert_agrees(converted)


@pytest.mark.parametrize("node", ["HardSigmoid(x)", "Celu<alpha = 0.5>(x)", "Selu<alpha = 1.5, gamma = 1.1>(x)"])
def test_other_parameters_are_served_between_affine_layers(node: str) -> None:
    assert_agrees(from_onnx(onnx_model(f"y = {node}", opset=20)))


def test_pytorchs_softplus_with_a_beta() -> None:
    body = "a = Mul(x, beta) b = Softplus(a) c = Div(b, beta) d = Greater(a, many) y = Where(d, x, c)"
    assert_agrees(from_onnx(onnx_model(body, {**NUMBERS, "beta": 2})))


def test_the_numbers_of_a_pattern_must_be_those_of_the_function() -> None:
    body = "a = Mul(x, factor) s = Sigmoid(a) y = Mul(x, s)"  # an approximation of gelu, and no silu
    converted = from_onnx(onnx_model(body, {"factor": 1.702}))
    assert [layer.WhichOneof("kind") for layer in converted.model.layers] == [
        "batch_normalization",
        "activation",
        "multiply",
    ]
    assert_agrees(converted)


@pytest.mark.parametrize(("opset", "axis"), [(9, "1"), (12, "-1"), (13, "-1"), (18, "1")])
def test_softmax_over_the_last_axis_in_every_version(opset: int, axis: str) -> None:
    converted = from_onnx(onnx_model(f"y = Softmax<axis = {axis}>(x)", opset=opset))
    assert [layer.WhichOneof("kind") for layer in converted.model.layers] == ["softmax"]
    assert_agrees(converted)


def test_what_softmax_has_by_default_changed_with_opset_13() -> None:
    assert_agrees(from_onnx(onnx_model("y = Softmax(x)", opset=12)))
    assert_agrees(from_onnx(onnx_model("y = Softmax(x)", opset=13)))

"""What PyTorch's exporters and scikit-learn's write, live: activations, shapes, estimators."""

import io
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnxscript", reason="PyTorch's newer exporter needs onnxscript")
skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")

import onnx  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler  # noqa: E402
from torch import nn  # noqa: E402

from numbatch.convert import from_onnx  # noqa: E402
from numbatch.wire.names import activation_name  # noqa: E402
from support.onnx_models import assert_agrees, assert_same, inputs_of, run  # noqa: E402
from support.sklearn_models import data, fitted  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the exporters, about themselves
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

ACTIVATIONS = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "elu": nn.ELU(0.7),
    "selu": nn.SELU(),
    "gelu_erf": nn.GELU(),
    "gelu_tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "hard_silu": nn.Hardswish(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "softplus": nn.Softplus(),
    "softsign": nn.Softsign(),
    "log_sigmoid": nn.LogSigmoid(),
    "log_softmax": nn.LogSoftmax(-1),
}
COMPOSED = {
    "hardtanh": nn.Hardtanh(-1, 2),
    "prelu": nn.PReLU(8),
    "tanhshrink": nn.Tanhshrink(),
    "softmin": nn.Softmin(-1),
    "softplus of a multiple": nn.Softplus(2.0),
    "batch norm": nn.BatchNorm1d(8),
    "layer norm": nn.LayerNorm(8),
}


def exported(module: Any, opset: int | None) -> onnx.ModelProto:
    """The module as ONNX, by tracing with this opset, or through torch.export."""
    module, x = module.eval(), (torch.randn(2, 8),)
    if opset is None:
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(module, x, dynamo=True, verbose=False, dynamic_shapes=shapes)
        return onnx.ModelProto.FromString(program.model_proto.SerializeToString())
    buffer = io.BytesIO()
    axes = {"x": {0: "batch"}}
    torch.onnx.export(module, x, buffer, dynamo=False, opset_version=opset, input_names=["x"], dynamic_axes=axes)
    return onnx.load_from_string(buffer.getvalue())


@pytest.mark.parametrize("opset", [9, 13, 17, 20, None])
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_each_activation_is_one_layer(function: str, opset: int | None) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 8), ACTIVATIONS[function])
    converted = from_onnx(exported(module, opset))
    assert [activation_name(layer.activation.function) for layer in converted.model.layers[1:]] == [function]
    assert_agrees(converted)
    arrays = inputs_of(converted.model)
    (x,) = arrays.values()
    expected = module(torch.from_numpy(x)).detach().numpy()
    assert_same(run(converted.model, arrays), {converted.model.outputs[0]: expected})


@pytest.mark.parametrize("opset", [9, 13, 17, 20, None])
@pytest.mark.parametrize("name", COMPOSED)
def test_what_is_made_of_several_layers(name: str, opset: int | None) -> None:
    torch.manual_seed(0)
    assert_agrees(from_onnx(exported(nn.Sequential(nn.Linear(8, 8), COMPOSED[name]), opset)))


X, WORDS, TWO, _, TARGETS = data()


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=20, random_state=1)), WORDS),
        (make_pipeline(MinMaxScaler(), MLPClassifier((6,), "logistic", max_iter=20, random_state=1)), TWO),
        (make_pipeline(RobustScaler(), LogisticRegression()), WORDS),
        (make_pipeline(MaxAbsScaler(), LogisticRegression()), TWO),
        (RidgeClassifier(), WORDS),
        (LinearRegression(), TARGETS),
        (MLPRegressor(hidden_layer_sizes=(6,), activation="tanh", max_iter=20, random_state=1), TARGETS[:, 0]),
    ],
)
def test_what_skl2onnx_writes(estimator: Any, y: Any) -> None:
    model = fitted(estimator, X, y)
    converted = from_onnx(skl2onnx.to_onnx(model, X[:1].astype(np.float32)))
    assert_agrees(converted)
    method = getattr(model, "predict_proba", None) or getattr(model, "decision_function", model.predict)
    arrays = {"X": X.astype(np.float32)}
    expected = np.asarray(method(X)).reshape(len(X), -1)
    # scikit-learn's exporters round their weights to float32 once more than ours do.
    assert_same(run(converted.model, arrays), {converted.model.outputs[0]: expected}, ulps=64)

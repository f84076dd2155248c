"""The table of operators: how each is translated, and why others are not."""

from collections.abc import Callable

from numbatch.convert.onnx import elementwise, estimators, normalizations, products, reductions, shapes, tables
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.errors import NumbatchError
from numbatch.wire.graph import Symbol

Translator = Callable[[Translation, Node], Symbol | list[Symbol] | list[Symbol | None]]

# Activations are found by their looks (activations.py), as are groups of nodes (patterns.py).
OPERATORS: dict[str, Translator] = {
    "Add": elementwise.add,
    "BatchNormalization": normalizations.batch_normalization,
    "Cast": shapes.cast,
    "Celu": elementwise.celu,
    "Clip": elementwise.clip,
    "Concat": shapes.concatenate,
    "Div": elementwise.divide,
    "Flatten": shapes.flatten,
    "Gather": tables.gather,
    "Gemm": products.gemm,
    "HardSigmoid": elementwise.hard_sigmoid,
    "LayerNormalization": normalizations.layer_normalization,
    "LogSoftmax": normalizations.softmax,
    "MatMul": products.matmul,
    "Mean": elementwise.total,
    "Mul": elementwise.multiply,
    "Neg": elementwise.negate,
    "OneHot": tables.one_hot,
    "PRelu": elementwise.prelu,
    "Pow": elementwise.power,
    "ReduceMean": reductions.reduce,
    "ReduceSum": reductions.reduce,
    "Reshape": shapes.reshape,
    "Selu": elementwise.selu,
    "Slice": shapes.cut,
    "Softmax": normalizations.softmax,
    "Split": shapes.split,
    "Squeeze": shapes.squeeze,
    "Sub": elementwise.subtract,
    "Sum": elementwise.total,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.unsqueeze,
    "ai.onnx.ml.ArrayFeatureExtractor": shapes.pick,
    "ai.onnx.ml.LinearClassifier": estimators.linear_classifier,
    "ai.onnx.ml.LinearRegressor": estimators.linear_regressor,
    "ai.onnx.ml.Scaler": estimators.scaler,
}

_QUANTISED = (
    "Quant",
    "QLinear",
    "QGemm",
    "QAttention",
    "MatMulInteger",
    "MatMulNBits",
    "ConvInteger",
    "DynamicQuantize",
)
_CONVOLUTIONS = (
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Resize",
    "InstanceNormalization",
)
_RECURRENT = ("LSTM", "GRU", "RNN")
_FLOW = ("If", "Loop", "Scan")


def unsupported(node: Node) -> NumbatchError:
    """Return the error for a node of a type that is not translated."""
    op = node.op.rpartition(".")[2]
    if op.startswith(_QUANTISED) or op == "DequantizeLinear":
        hint = (
            "convert the float model that this one was made from, and serve it with weights in bfloat16 if it is large"
        )
        return node.refusal("quantised arithmetic is not served", expected="float32", hint=hint)
    if op.startswith(_CONVOLUTIONS):
        return node.refusal("convolutions are not served", hint="serve the dense layers behind them, on their features")
    if op in _RECURRENT:
        return node.refusal("recurrent layers are not served", hint="serve the dense layers behind them")
    if op in _FLOW:
        return node.refusal("control flow is not served", hint="export the branch that is taken, as a graph without it")
    if op.startswith(("TreeEnsemble", "SVM", "OneHotEncoder", "LabelEncoder", "Normalizer", "Imputer")):
        return node.refusal("it is not dense algebra", hint="do this step before the model is called")
    if op == "Dropout":
        return node.refusal("it drops out at inference", hint="export with training_mode=False")
    hint = "compute it before or after the model, or export the model without it"
    return node.refusal("no layer does this", expected="an operator of dense networks", hint=hint)

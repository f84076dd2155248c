"""Models written as ONNX: valid, the same numbers from ONNX Runtime, and the same layers when they are read again."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnxruntime
import pytest
from onnx import numpy_helper
from safetensors.numpy import save_file

from numbatch.convert import from_onnx, to_onnx
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import ActivationFunction, Model, Weights, WeightsReference
from numbatch.wire.errors import InvalidModelError
from numbatch.wire.graph import GraphWriter
from numbatch.wire.models import array_of
from numbatch.wire.names import DEFAULT_ALPHAS, activation_name
from support.onnx_models import assert_same, drawn, inputs_of, run

FUNCTIONS = [activation_name(number) for number in ActivationFunction.values() if number]


def alpha_of(function: str) -> float | None:
    return 0.3 if function in DEFAULT_ALPHAS else None


def activations() -> Model:
    """Every activation, of a dense layer and alone."""
    graph = GraphWriter("activations")
    x = graph.dense(graph.input("x", [8]), drawn(1, 8, 6), drawn(2, 6), name="hidden")
    outputs = []
    for function in FUNCTIONS:
        kernel, alpha = drawn(len(function), 6, 4), alpha_of(function)
        outputs.append(graph.dense(x, kernel, drawn(3, 4), function, alpha=alpha, name=f"dense_{function}"))
        outputs.append(graph.activation(x, function, alpha=alpha, name=f"only_{function}"))
    return graph.model(outputs)


def kinds() -> Model:
    """Every kind of layer, on examples of one axis and of several."""
    graph = GraphWriter("kinds", description="All kinds.", metadata={"classes": '["a", "b"]'})
    x, ids = graph.input("x", [3, 8]), graph.input("ids", [4], integer=True)
    rows = graph.dense(x, drawn(1, 8, 6), drawn(2, 6), "relu", name="rows")
    unbiased = graph.dense(rows, drawn(3, 6, 6), name="unbiased")
    flat = graph.flatten(unbiased, name="flat")
    variance = abs(drawn(4, 18)) + 0.1
    outputs = [
        graph.softmax(rows, name="softmax"),
        graph.reshape(flat, [9, 2], name="reshape"),
        graph.batch_normalization(flat, drawn(5, 18), variance, drawn(6, 18), drawn(7, 18), name="norm"),
        graph.batch_normalization(rows, drawn(5, 6), variance[:6], name="norm_of_rows"),
        graph.normalization(rows, drawn(5, 6), variance[:6], name="normalization"),
        graph.layer_normalization(rows, drawn(5, 6), drawn(6, 6), epsilon=1e-5, name="layer_norm"),
        graph.layer_normalization(rows, name="layer_norm_alone"),
        graph.add([rows, unbiased], name="add"),
        graph.add([rows, unbiased, rows], name="add_three"),
        graph.multiply([rows, unbiased], name="multiply"),
        graph.concatenate([rows, unbiased], name="concatenate"),
        graph.affine(flat, 2.0, 1.0, name="affine"),
        graph.slice(rows, 1, 4, name="slice"),
        graph.embedding(ids, drawn(8, 5, 3), name="embedding"),
        graph.embedding(ids, drawn(8, 5, 3), start=2, name="embedding_of_the_last"),
        graph.embedding(ids, drawn(8, 5, 3), pooling="mean", padding_id=2, start=1, stop=3, name="mean_of_some"),
        *(
            graph.embedding(ids, drawn(8, 5, 3), pooling=pooling, padding_id=padding, name=f"{pooling}_{padding}")
            for pooling in ("sum", "mean")
            for padding in (None, 2)
        ),
    ]
    return graph.model(outputs)


def run_onnx(model: onnx.ModelProto, arrays: dict[str, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, arrays), strict=True))


@pytest.mark.parametrize("make", [activations, kinds])
def test_onnx_runtime_computes_what_the_engine_does(make: Any) -> None:
    model = make()
    written = to_onnx(model)
    onnx.checker.check_model(written, full_check=True)
    arrays = inputs_of(model)
    arrays |= {"ids": np.array([[2, 2, 2, 2], [0, 2, 4, 2], [1, 1, 3, 0]], np.int32)} if "ids" in arrays else {}
    arrays = {name: each[:3] for name, each in arrays.items()}
    assert_same(run_onnx(written, arrays), run(model, arrays))


@pytest.mark.parametrize("make", [activations, kinds])
def test_what_is_written_is_read_as_the_same_layers(make: Any) -> None:
    model = make()
    read = from_onnx(to_onnx(model)).model
    assert read.outputs == model.outputs
    assert {layer.name for layer in model.layers} == {layer.name for layer in read.layers}
    arrays = inputs_of(model)
    assert_same(run(read, arrays), run(model, arrays), ulps=4)


def tower() -> Model:
    """Dense layers one after the other."""
    graph = GraphWriter("tower")
    x = graph.dense(graph.input("x", [8]), drawn(1, 8, 6), drawn(2, 6), "relu")
    x = graph.dense(x, drawn(3, 6, 5), drawn(4, 5), "gelu_erf")
    return graph.model([graph.dense(x, drawn(5, 5, 3))])


def test_a_chain_of_dense_layers_comes_back_as_it_was() -> None:
    model = tower()
    read = from_onnx(to_onnx(model)).model
    assert [(a.name, a.dense) for a in read.layers] == [(a.name, a.dense) for a in model.layers]
    assert read.name == "tower"


def test_a_model_that_was_built_in_python_is_written_as_it_is() -> None:
    model = Sequential([Input((8,)), Dense(3, "relu")], name="built", seed=1)
    assert to_onnx(model) == to_onnx(model.to_message())


def test_a_product_of_three_arrays_is_written_as_two() -> None:
    graph = GraphWriter("small")
    x = graph.input("x", [8])
    y = graph.activation(x, "tanh")
    model = graph.model([graph.multiply([x, y, y], name="cube")])
    arrays = inputs_of(model)
    read = from_onnx(to_onnx(model)).model
    assert [layer.name for layer in read.layers] == ["tanh", "cube/product", "cube"]
    assert_same(run(read, arrays), run(model, arrays))


def test_all_layers_can_be_outputs_after_the_models_own() -> None:
    model = kinds()
    written = to_onnx(model, all_layers=True)
    names = [each.name for each in written.graph.output]
    assert names == [*model.outputs, "rows", "unbiased", "flat"]
    arrays = inputs_of(model)
    model.ClearField("outputs")
    model.outputs.extend(names)
    assert_same(run_onnx(written, arrays), run(model, arrays))


def test_the_batch_is_the_first_axis_of_all_ends() -> None:
    written = to_onnx(kinds())
    ends = [*written.graph.input, *written.graph.output]
    assert {each.type.tensor_type.shape.dim[0].dim_param for each in ends} == {"batch"}


def test_descriptions_and_metadata_are_kept() -> None:
    read = from_onnx(to_onnx(kinds())).model
    assert (read.name, read.description) == ("kinds", "All kinds.")
    assert read.metadata["classes"] == '["a", "b"]'


def test_names_that_a_layers_parts_would_have_are_left_to_the_layers_that_have_them() -> None:
    graph = GraphWriter("small")
    x = graph.input("x", [8])
    other = graph.dense(x, drawn(1, 8, 8), name="d/linear")
    model = graph.model([graph.dense(other, drawn(2, 8, 8), drawn(3, 8), "relu", name="d"), other])
    arrays = inputs_of(model)
    assert_same(run_onnx(to_onnx(model), arrays), run(model, arrays))


def test_layers_without_names_and_in_any_order_have_those_that_the_server_gives_them() -> None:
    model = tower()
    model.ClearField("outputs")
    for layer in model.layers:
        layer.name = ""
        layer.ClearField("inputs")
    assert [each.name for each in to_onnx(model, all_layers=True).graph.output] == ["dense_2", "dense_0", "dense_1"]


def test_weights_in_files_are_read_from_the_models_folder(tmp_path: Path) -> None:
    model = tower()
    kernel = array_of(model.layers[0].dense.kernel)
    save_file({"w": kernel}, tmp_path / "weights.safetensors")
    reference = WeightsReference(file="weights.safetensors", tensor_name="w")
    model.layers[0].dense.kernel.CopyFrom(Weights(shape=[8, 6], reference=reference))
    written = to_onnx(model, folder=tmp_path).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(written), kernel)
    with pytest.raises(InvalidModelError, match="WEIGHTS_OUTSIDE_MODEL"):
        to_onnx(model)


def test_a_model_that_contradicts_itself_is_not_written() -> None:
    model = tower()
    model.layers[0].dense.units = 4
    with pytest.raises(InvalidModelError, match=r"model.layers\[0\].dense.kernel"):
        to_onnx(model)

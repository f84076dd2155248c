"""Files that exporters wrote, against what the originals computed (tests/convert/fixtures/make_onnx.py)."""

from pathlib import Path

import numpy as np
import pytest

from numbatch.convert import from_onnx
from support.onnx_models import assert_same, layers_of, run

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = dict(np.load(FIXTURES / "onnx_outputs.npz"))

TORCH = {"tabular": ["numbers", "categories"], "sequences": ["words"]}
LAYERS = {
    "sequences_17": [
        ("words/Gather_output_0", "embedding"),
        ("each/Add_output_0", "dense"),
        ("HardSwish_output_0", "activation"),
        ("Reshape_output_0", "flatten"),
        ("ReduceMean_output_0", "embedding"),
        ("Concat_1_output_0", "concatenate"),
        ("all/Gemm_output_0", "dense"),
        ("output", "activation"),
    ],
    "tabular_new": [
        ("embedding", "embedding"),
        ("embedding_1", "embedding"),
        ("getitem", "batch_normalization"),
        ("cat", "concatenate"),
        ("linear", "dense"),
        ("gelu", "activation"),
        ("linear_1", "dense"),
        ("silu", "activation"),
        ("add_34", "add"),
        ("layer_norm", "layer_normalization"),
        ("linear_2", "dense"),
    ],
}


@pytest.mark.parametrize("name", ["tabular", "sequences"])
@pytest.mark.parametrize("exporter", ["13", "17", "new"])
def test_what_pytorch_exported_computes_what_pytorch_did(name: str, exporter: str) -> None:
    converted = from_onnx(FIXTURES / f"onnx_torch_{name}_{exporter}.onnx")
    assert {spec.name for spec in converted.model.inputs} == set(TORCH[name])
    arrays = {each: RECORDED[each] for each in TORCH[name]}
    (output,) = converted.model.outputs
    assert_same(run(converted.model, arrays), {output: RECORDED[name]})
    assert converted.reference is not None
    assert_same(run(converted.model, arrays), converted.reference(arrays))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_called_as_the_tensors(name: str) -> None:
    assert layers_of(from_onnx(FIXTURES / f"onnx_torch_{name}.onnx").model) == LAYERS[name]


@pytest.mark.parametrize("name", ["mlp", "logistic"])
def test_what_skl2onnx_exported_computes_what_scikit_learn_did(name: str) -> None:
    converted = from_onnx(FIXTURES / f"onnx_sklearn_{name}.onnx")
    assert converted.notes == ("Output 'output_label' is left out: it is no array of floats.",)
    assert converted.model.metadata["classes"] == "[0, 1, 2]"
    assert_same(run(converted.model, {"X": RECORDED["iris"]}), {"output_probability": RECORDED[name]})

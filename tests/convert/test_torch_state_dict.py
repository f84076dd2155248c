"""State dicts, with a description of their network: no PyTorch is needed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from safetensors.numpy import load_file, save_file

from numbatch.convert.torch import from_torch
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import CorruptModelError, InvalidArgumentError, InvalidModelError
from numbatch.wire.models import array_of
from support import numpy_model
from support.torch_agreement import ULP, distance

FIXTURES = Path(__file__).parent / "fixtures"
WEIGHTS, DESCRIPTION = FIXTURES / "torch_classifier.safetensors", FIXTURES / "torch_classifier.txtpb"


def test_weights_and_a_description_make_the_network_that_pytorch_recorded() -> None:
    converted = from_torch(WEIGHTS, architecture=DESCRIPTION)
    arrays = np.load(FIXTURES / "torch_outputs.npz")
    outputs = numpy_model.run(converted.model, {"x": arrays["classifier/x"]})
    expected = {"head": arrays["classifier/=0"], "probabilities": arrays["classifier/=1"]}
    assert distance(outputs, expected) <= ULP
    assert (converted.model.name, converted.reference) == ("classifier", None)
    assert converted.notes == ("The epsilon of norm, scale was not described and is PyTorch's default, 1e-05.",)


def test_widths_that_are_not_described_are_those_of_the_weights() -> None:
    model = from_torch(WEIGHTS, architecture=DESCRIPTION, name="mine").model
    assert [layer.dense.units for layer in model.layers if layer.HasField("dense")] == [16, 16, 3]
    assert model.name == "mine"


def test_a_state_dict_in_memory_and_a_message_do_as_well() -> None:
    description = text_format.Parse(DESCRIPTION.read_text(), Model())
    converted = from_torch(load_file(WEIGHTS), architecture=description)
    assert converted.model == from_torch(WEIGHTS, architecture=DESCRIPTION).model
    assert not description.layers[1].dense.HasField("kernel"), "the description is not changed"


def test_embeddings_take_their_table() -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    description = text_format.Parse(
        'name: "e" inputs { name: "ids" data_type: DATA_TYPE_INT32 shape: 2 }'
        'layers { name: "words" embedding { pooling: POOLING_SUM } }',
        Model(),
    )
    layer = from_torch({"words.weight": table}, architecture=description).model.layers[0].embedding
    assert (layer.vocabulary_size, layer.units) == (4, 3)
    assert np.array_equal(array_of(layer.table), table)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_weights_of_other_widths_are_rounded_with_a_note(dtype: Any, tmp_path: Path) -> None:
    arrays = {name: array.astype(dtype) for name, array in load_file(WEIGHTS).items() if array.dtype.kind == "f"}
    save_file(arrays, tmp_path / "w.safetensors")
    converted = from_torch(tmp_path / "w.safetensors", architecture=DESCRIPTION)
    assert "Weights of other widths were rounded to float32, in which everything is computed." in converted.notes
    kernel = array_of(converted.model.layers[1].dense.kernel)
    assert np.array_equal(kernel, arrays["body.0.weight"].T.astype(np.float32))


def test_bfloat16_is_read_though_numpy_has_no_such_type(tmp_path: Path) -> None:
    values = np.array([[1.0, -2.5], [0.15625, 2.0**100]], np.float32)  # all of them have it
    upper = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = b'{"fc.weight":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}'
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + upper)
    description = text_format.Parse('name: "b" inputs { name: "x" shape: 2 } layers { name: "fc" dense {} }', Model())
    model = from_torch(tmp_path / "w.safetensors", architecture=description).model
    assert np.array_equal(array_of(model.layers[0].dense.kernel), values.T)


def test_without_an_architecture_the_tensors_are_listed() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        from_torch(WEIGHTS)
    text = str(refused.value)
    assert (
        "a state dict does not say how its tensors are connected; it holds body.0.bias [16], body.0.weight [16, 12]"
        in text
    )
    assert 'layers { name: "fc1" dense' in text


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.pop(name)


MISMATCHES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "missing": (_without("head.weight"), "head: head.weight is missing: got .*body.0.bias .16., "),
    "left over": (
        lambda arrays: arrays.update({"extra.weight": np.zeros((2, 2), np.float32)}),
        r"weights that no layer takes: got extra.weight \[2, 2\]; name a layer for each of these",
    ),
    "units": (
        lambda arrays: arrays.update({"head.weight": np.zeros((4, 16), np.float32)}),
        "head: units .* got 4, expected 3",
    ),
    "rank": (lambda arrays: arrays.update({"head.weight": np.zeros(16, np.float32)}), "head: weight: got .* a matrix"),
    "bias": (lambda arrays: arrays.update({"head.bias": np.zeros(4, np.float32)}), "head: bias: got .4., expected .3."),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_weights_that_do_not_fit_are_refused(case: str) -> None:
    change, words = MISMATCHES[case]
    arrays = load_file(WEIGHTS)
    change(arrays)
    with pytest.raises(InvalidModelError, match=words):
        from_torch(arrays, architecture=DESCRIPTION)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"none")
    with pytest.raises(CorruptModelError, match="w.safetensors: no safetensors file"):
        from_torch(tmp_path / "w.safetensors", architecture=DESCRIPTION)
    (tmp_path / "d.txtpb").write_text("layer {}")
    with pytest.raises(CorruptModelError, match="d.txtpb: .*layer"):
        from_torch(WEIGHTS, architecture=tmp_path / "d.txtpb")


def test_what_is_no_source_is_refused_with_what_is_one() -> None:
    with pytest.raises(InvalidArgumentError, match="source: got int, expected a torch.nn.Module"):
        from_torch(3)
    with pytest.raises(InvalidArgumentError, match=r"got net.pkl, .* use torch.export.save, or save its state dict"):
        from_torch("net.pkl")

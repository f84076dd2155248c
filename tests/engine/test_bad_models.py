"""Models that are wrong: each is refused with its field, what came and what was expected."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from safetensors.numpy import save_file

from numbatch.engine import load_model, read_model, validate_model
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import (
    ACTIVATION_FUNCTION_ELU,
    Activation,
    Add,
    BatchNormalization,
    Embedding,
    InputSpec,
    Layer,
    LayerNormalization,
    Model,
    Normalization,
    Reshape,
    Slice,
)
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT16, DATA_TYPE_INT64
from numbatch.wire.errors import NumbatchError
from numbatch.wire.models import array_of, weights_of
from numbatch.wire.reasons import Reason


def good() -> Model:
    return Sequential([Input((4,)), Dense(3, "relu", name="a"), Dense(2, name="b")], seed=0).to_message("net")


def nan_kernel(model: Model) -> None:
    kernel = array_of(model.layers[0].dense.kernel).copy()
    kernel[2, 1] = np.nan
    model.layers[0].dense.kernel.CopyFrom(weights_of(kernel))


def cycle(model: Model) -> None:
    model.layers[0].inputs.append("b")


CASES: dict[str, tuple[Callable[[Model], object], Reason, str]] = {
    "no inputs": (lambda m: m.ClearField("inputs"), Reason.MODEL_INVALID, "model.inputs: got none"),
    "no layers": (lambda m: m.ClearField("layers"), Reason.MODEL_INVALID, "model.layers: got none"),
    "two inputs, and no word of which one the first layer takes": (
        lambda m: m.inputs.append(InputSpec(name="more", shape=[1])),
        Reason.MODEL_INVALID,
        "model.layers[0].inputs: got none, expected the names of what it takes, as the model has several inputs",
    ),
    "inputs that are too large together": (
        lambda m: m.inputs.append(InputSpec(name="more", shape=[2**20])),
        Reason.MODEL_INVALID,
        "model.inputs: together: got 1048580 elements for an example, expected at most 1048576",
    ),
    "a name that is none": (
        lambda m: setattr(m, "name", "../net"),
        Reason.MODEL_INVALID,
        "model.name: got '../net'",
    ),
    "two layers of one name": (
        lambda m: setattr(m.layers[1], "name", "a"),
        Reason.MODEL_INVALID,
        "model.layers[1].name: the same name as model.layers[0].name: got 'a'",
    ),
    "a layer named as an input": (
        lambda m: setattr(m.layers[1], "name", "input"),
        Reason.MODEL_INVALID,
        "model.layers[1].name: the same name as model.inputs[0].name",
    ),
    "an unknown input of a layer": (
        lambda m: m.layers[1].inputs.append("aa"),
        Reason.MODEL_INVALID,
        "model.layers[1].inputs[0]: no such layer or input: got 'aa', expected 'a' perhaps",
    ),
    "an unknown output": (lambda m: m.outputs.append("z"), Reason.MODEL_INVALID, "model.outputs[0]: no such layer"),
    "a cycle": (cycle, Reason.MODEL_CYCLE, "model.layers[0].inputs: the layers depend on each other in a circle"),
    "a layer without a kind": (
        lambda m: m.layers.append(Layer(name="c")),
        Reason.MODEL_INVALID,
        "model.layers[2]: no kind",
    ),
    "one array to add": (
        lambda m: m.layers.append(Layer(name="c", inputs=["a"], add=Add())),
        Reason.MODEL_INVALID,
        "model.layers[2].inputs: add takes 2 or more: got 1",
    ),
    "arrays of two shapes to add": (
        lambda m: m.layers.append(Layer(name="c", inputs=["a", "b"], add=Add())),
        Reason.MODEL_INVALID,
        "model.layers[2].inputs[1]: shape: got [2], expected that of the first, [3]",
    ),
    "a shape of another size": (
        lambda m: m.layers.append(Layer(name="c", reshape=Reshape(shape=[-1, 3]))),
        Reason.MODEL_INVALID,
        "model.layers[2].reshape.shape: got [-1, 3], expected the 2 elements of the input's [2]",
    ),
    "a slice beyond the axis": (
        lambda m: m.layers.append(Layer(name="c", slice=Slice(start=1, stop=3))),
        Reason.MODEL_INVALID,
        "model.layers[2].slice: got 1 to 3, expected a part of 0 to 2, of one element or more",
    ),
    "row numbers of floats": (
        lambda m: m.layers.append(Layer(name="c", embedding=Embedding(vocabulary_size=3, units=1))),
        Reason.MODEL_INVALID,
        "model.layers[2].inputs[0]: embedding: type of elements",
    ),
    "a normalisation by nothing": (
        lambda m: m.layers.append(
            Layer(name="c", normalization=Normalization(mean=weights_of([0, 0]), variance=weights_of([1, 0])))
        ),
        Reason.MODEL_INVALID,
        "model.layers[2].normalization.variance[1]: got 0.0, expected more than 0",
    ),
    "a normalisation of rows with an epsilon of 0": (
        lambda m: m.layers.append(Layer(name="c", layer_normalization=LayerNormalization(epsilon=0))),
        Reason.MODEL_INVALID,
        "model.layers[2].layer_normalization.epsilon: got 0.0, expected more than 0",
    ),
    "no statistics": (
        lambda m: m.layers.append(Layer(name="c", batch_normalization=BatchNormalization())),
        Reason.MODEL_INVALID,
        "model.layers[2].batch_normalization.mean",
    ),
    "an activation that comes later": (
        lambda m: setattr(m.layers[0].dense.activation, "function", 99),
        Reason.ACTIVATION_UNSUPPORTED,
        "model.layers[0].dense.activation.function: not known: got activation 99, expected linear, sigmoid",
    ),
    "an activation not given": (
        lambda m: m.layers[1].dense.activation.SetInParent(),
        Reason.MODEL_INVALID,
        "model.layers[1].dense.activation.function: got unspecified",
    ),
    "a parameter that a relu does not have": (
        lambda m: setattr(m.layers[0].dense.activation, "alpha", 0.5),
        Reason.MODEL_INVALID,
        "model.layers[0].dense.activation.alpha: relu has no alpha: got 0.5",
    ),
    "a parameter that is no number": (
        lambda m: m.layers.append(Layer(activation=Activation(function=ACTIVATION_FUNCTION_ELU, alpha=float("inf")))),
        Reason.MODEL_INVALID,
        "model.layers[2].activation.alpha: got inf, expected a finite number",
    ),
    "another arithmetic": (
        lambda m: setattr(m, "numeric_contract", "i8-1"),
        Reason.NUMERIC_CONTRACT_UNSUPPORTED,
        "model.numeric_contract: got 'i8-1', expected f32-1",
    ),
    "no units": (
        lambda m: setattr(m.layers[0].dense, "units", 0),
        Reason.MODEL_INVALID,
        "model.layers[0].dense.units: got 0, expected 1 to 65536",
    ),
    "an axis of 0": (lambda m: m.inputs[0].shape.append(0), Reason.MODEL_INVALID, "model.inputs[0].shape: got [4, 0]"),
    "an input of petabytes": (
        lambda m: m.inputs[0].shape.append(2**50),
        Reason.MODEL_INVALID,
        "expected at most 1048576 elements",
    ),
    "an integer input": (
        lambda m: setattr(m.inputs[0], "data_type", DATA_TYPE_INT64),
        Reason.FEATURE_UNSUPPORTED,
        "got int64, expected float32",
    ),
    "half weights": (
        lambda m: setattr(m.layers[0].dense.kernel, "data_type", DATA_TYPE_FLOAT16),
        Reason.FEATURE_UNSUPPORTED,
        "model.layers[0].dense.kernel.data_type: type of weights: got float16, expected float32",
    ),
    "a kernel for other units": (
        lambda m: setattr(m.layers[0].dense, "units", 5),
        Reason.WEIGHTS_MISMATCH,
        "model.layers[0].dense.kernel.shape: got [4, 3], expected [4, 5]",
    ),
    "no kernel": (
        lambda m: m.layers[0].dense.kernel.ClearField("data"),
        Reason.MODEL_INVALID,
        "model.layers[0].dense.kernel: no weights: got none",
    ),
    "too few bytes": (
        lambda m: setattr(m.layers[1].dense.bias, "data", b"1234"),
        Reason.WEIGHTS_MISMATCH,
        "model.layers[1].dense.bias.data: got 4 bytes, expected 8 bytes",
    ),
    "NaN among the weights": (
        nan_kernel,
        Reason.WEIGHTS_NOT_FINITE,
        "model.layers[0].dense.kernel[2, 1]: got nan, expected finite numbers",
    ),
}


@pytest.mark.parametrize(("spoil", "reason", "text"), CASES.values(), ids=CASES.keys())
def test_a_wrong_model_is_refused(spoil: Callable[[Model], object], reason: Reason, text: str) -> None:
    model = good()
    spoil(model)
    for check in (validate_model, load_model):
        with pytest.raises(NumbatchError) as caught:
            check(model)
        assert caught.value.reason is reason
        assert text in str(caught.value)


def test_the_circle_is_shown() -> None:
    model = good()
    cycle(model)
    with pytest.raises(NumbatchError, match=r"got \w -> \w -> \w"):
        validate_model(model)


@pytest.mark.parametrize("name", ["model.binpb", "model.txtpb"])
def test_a_model_is_read_from_either_file(name: str, tmp_path: Path) -> None:
    text = text_format.MessageToString(good()).encode()
    (tmp_path / name).write_bytes(text if name.endswith("txtpb") else good().SerializeToString())
    assert read_model(tmp_path) == read_model(tmp_path / name) == good()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("model.binpb", good().SerializeToString()[:-20], "no Model message, or a truncated one"),
        ("model.binpb", b"", "is empty"),
        ("model.binpb", b"\xff" * 100, "no Model message"),
        ("model.txtpb", b"name: 'net' layers {", "no Model message"),
        ("model.txtpb", b"\xff\xfe", "no Model message"),
        ("other.file", b"", "expected model.binpb or model.txtpb"),
    ],
)
def test_a_corrupt_file_is_refused_by_name(name: str, content: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NumbatchError) as caught:
        load_model(tmp_path)
    assert caught.value.reason is Reason.MODEL_CORRUPT
    assert text in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NumbatchError, match="nowhere, which does not exist"):
        load_model(tmp_path / "nowhere")


def refer(model: Model, folder: Path, *, file: str = "weights.safetensors", tensor: str = "a/kernel") -> None:
    """Move a kernel from a message into a file beside it."""
    kernel = array_of(model.layers[0].dense.kernel).copy()
    save_file({"a/kernel": kernel}, folder / "weights.safetensors")
    weights = model.layers[0].dense.kernel
    weights.reference.file, weights.reference.tensor_name = file, tensor
    weights.reference.sha256 = hashlib.sha256(kernel.tobytes()).digest()


def test_weights_beside_the_message_are_the_same(tmp_path: Path) -> None:
    model = good()
    refer(model, tmp_path)
    (tmp_path / "model.binpb").write_bytes(model.SerializeToString())
    x = np.ones((3, 4), np.float32)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.infer(x), load_model(good()).infer(x))
    assert loaded.message() == good()


@pytest.mark.parametrize(
    ("file", "tensor", "reason", "text"),
    [
        (
            "../weights.safetensors",
            "a/kernel",
            Reason.WEIGHTS_OUTSIDE_MODEL,
            "expected a file inside the model's folder",
        ),
        ("/etc/passwd", "a/kernel", Reason.WEIGHTS_OUTSIDE_MODEL, "reference.file: got '/etc/passwd'"),
        ("link", "a/kernel", Reason.WEIGHTS_OUTSIDE_MODEL, "got 'link'"),
        ("", "a/kernel", Reason.WEIGHTS_OUTSIDE_MODEL, "got ''"),
        ("a\0b", "a/kernel", Reason.WEIGHTS_OUTSIDE_MODEL, "expected a file inside the model's folder"),
        ("missing.safetensors", "a/kernel", Reason.WEIGHTS_CORRUPT, "no such file: got 'missing.safetensors'"),
        ("model.binpb", "a/kernel", Reason.WEIGHTS_CORRUPT, "no safetensors file"),
        ("weights.safetensors", "b", Reason.WEIGHTS_MISMATCH, "no such tensor: got 'b', expected a/kernel"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    file: str, tensor: str, reason: Reason, text: str, tmp_path: Path
) -> None:
    folder = tmp_path / "net" / "1"
    folder.mkdir(parents=True)
    os.symlink("/etc/passwd", folder / "link")
    model = good()
    refer(model, folder, file=file, tensor=tensor)
    (folder / "model.binpb").write_bytes(model.SerializeToString())
    with pytest.raises(NumbatchError) as caught:
        load_model(folder)
    assert caught.value.reason is reason
    assert text in str(caught.value)


def test_changed_and_truncated_weights_are_found(tmp_path: Path) -> None:
    model = good()
    refer(model, tmp_path)
    (tmp_path / "model.binpb").write_bytes(model.SerializeToString())
    file = tmp_path / "weights.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-4] + b"\0\0\0\0")
    with pytest.raises(NumbatchError, match="tensor 'a/kernel' changed"):
        load_model(tmp_path)
    file.write_bytes(data[:-4])
    with pytest.raises(NumbatchError, match="no safetensors file"):
        load_model(tmp_path)


def test_a_model_without_a_folder_may_refer_to_no_file(tmp_path: Path) -> None:
    model = good()
    refer(model, tmp_path)
    with pytest.raises(NumbatchError, match="brings its weights inline"):
        load_model(model)


def test_a_model_is_named_after_its_folder_if_it_has_no_name(tmp_path: Path) -> None:
    model = good()
    model.name = ""
    folder = tmp_path / "named" / "3"
    folder.mkdir(parents=True)
    (folder / "model.binpb").write_bytes(model.SerializeToString())
    assert load_model(folder).name == "named"
    with pytest.raises(NumbatchError, match="model.name: got 'net', expected 'other'"):
        load_model(good(), name="other")

"""Where models and their weights come from, and what is no model."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from numbatch.convert import from_onnx
from numbatch.wire.errors import CorruptModelError, InvalidModelError, UnsupportedError
from numbatch.wire.models import array_of
from support.onnx_models import assert_agrees, drawn, onnx_model

W = drawn(1, 8, 8)


def with_external_weights(location: str, offset: int = 0, length: int = W.nbytes) -> onnx.ModelProto:
    model = onnx_model("y = MatMul(x, W)", {"W": W})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return model


def test_a_models_name_is_its_files_or_its_graphs(tmp_path: Path) -> None:
    model = onnx_model("y = Tanh(x)")
    onnx.save(model, tmp_path / "my tower.onnx")
    assert from_onnx(tmp_path / "my tower.onnx").model.name == "my_tower"
    assert from_onnx(str(tmp_path / "my tower.onnx"), name="tower").model.name == "tower"
    assert from_onnx(model).model.name == "net"


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(64) + W.tobytes())
    onnx.save(with_external_weights("weights.bin", offset=64), tmp_path / "model.onnx")
    converted = from_onnx(tmp_path / "model.onnx")
    np.testing.assert_array_equal(array_of(converted.model.layers[0].dense.kernel), W)
    assert_agrees(converted)


def test_weights_outside_of_the_models_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(W.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin"):
        onnx.save(with_external_weights(location), folder / "model.onnx")
        with pytest.raises(InvalidModelError, match=r"^W: external data: .*WEIGHTS_OUTSIDE_MODEL"):
            from_onnx(folder / "model.onnx")


@pytest.mark.parametrize(
    ("location", "offset", "length", "problem"),
    [
        ("weights.bin", 0, 4 * W.nbytes, "weights.bin has 256 bytes, not the 1024 from 0 on that it should have"),
        ("weights.bin", 255, W.nbytes, "weights.bin has 256 bytes"),
        ("weights.bin", 0, 128, "external data: got 128 bytes, expected 256 bytes"),
        ("gone.bin", 0, W.nbytes, "gone.bin is no file beside the model"),
    ],
)
def test_weights_that_are_not_all_there(tmp_path: Path, location: str, offset: int, length: int, problem: str) -> None:
    (tmp_path / "weights.bin").write_bytes(W.tobytes())
    onnx.save(with_external_weights(location, offset, length), tmp_path / "model.onnx")
    with pytest.raises(CorruptModelError, match=f"W: {problem}"):
        from_onnx(tmp_path / "model.onnx")


def test_a_message_whose_weights_are_in_another_file_needs_a_path() -> None:
    with pytest.raises(CorruptModelError, match="W: its data are in another file; give the path of the model's file"):
        from_onnx(with_external_weights("weights.bin"))


@pytest.mark.parametrize("data", [b"", b"\x00 no model", b"\x08\x07\x3a\xff\xff\x01"])
def test_a_file_that_is_no_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(CorruptModelError, match="model.onnx is no ONNX model, or"):
        from_onnx(tmp_path / "model.onnx")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorruptModelError, match="model.onnx cannot be read: got No such file or directory"):
        from_onnx(tmp_path / "model.onnx")


def test_a_model_that_breaks_onnxs_rules() -> None:
    with pytest.raises(InvalidModelError, match="the message is not valid ONNX: .*MODEL_INVALID"):
        from_onnx(onnx_model("y = Tanh(nothing)"))


@pytest.mark.parametrize(("opset", "hint"), [(8, "convert it with onnx.version_converter"), (99, "upgrade onnx")])
def test_versions_of_operators_that_are_not_known(opset: int, hint: str) -> None:
    model = onnx_model("y = Tanh(x)")
    model.opset_import[0].version = opset
    with pytest.raises(UnsupportedError, match=f"opset_import: .* got {opset}, expected 9 to [0-9]+; {hint}"):
        from_onnx(model)


def test_a_small_model_cannot_ask_for_much_memory() -> None:
    bomb = "o = ConstantOfShape(huge) y = Add(x, o)"
    with pytest.raises(UnsupportedError, match="o: a constant of so many elements"):
        from_onnx(onnx_model(bomb, {"huge": np.array([2**20, 2**20])}))
    bomb = "o = Mul(column, row) s = ReduceSum<keepdims = 0>(o) y = Add(x, s)"
    with pytest.raises(UnsupportedError, match="o: a constant of so many elements"):
        from_onnx(onnx_model(bomb, {"column": np.zeros((2**17, 1)), "row": np.zeros((1, 2**17))}))


def test_functions_of_the_model_are_inlined() -> None:
    text = """
        <ir_version: 8, opset_import: ["": 18, "own": 1]>
        net (float[N,8] x) => (float[N,8] y) { y = own.Twice(x) }
        <opset_import: ["": 18], domain: "own"> Twice (a) => (b) { t = Tanh(a) b = Tanh(t) }
    """
    converted = from_onnx(onnx.parser.parse_model(text))
    assert [layer.WhichOneof("kind") for layer in converted.model.layers] == ["activation", "activation"]
    assert_agrees(converted)


def test_where_a_model_came_from_is_kept() -> None:
    model = onnx_model("y = Tanh(x)")
    model.producer_name, model.producer_version, model.graph.doc_string = "pytorch", "2.13", "A tower."
    model.metadata_props.add(key="team", value="search")
    converted = from_onnx(model)
    assert converted.model.description == "A tower."
    assert dict(converted.model.metadata) == {"converted_from": "ONNX, pytorch 2.13", "team": "search"}

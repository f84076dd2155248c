"""`numbatch model new`: what it writes, and where."""

import os
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from numbatch.engine import load_model, validate_model
from numbatch.v1.model_pb2 import ACTIVATION_FUNCTION_ELU, ACTIVATION_FUNCTION_LEAKY_RELU, Activation, Model
from numbatch.wire.models import array_of
from support.command import numbatch


def read(path: Path) -> Model:
    return Model.FromString(path.read_bytes())


def test_it_is_the_network_that_keras_would_make(tmp_path: Path) -> None:
    arguments = ["--input", "10", "--dense", "3:sigmoid", "--dense", "5:sigmoid", "--seed", "1"]
    outcome = numbatch("model", "new", tmp_path / "tiny", *arguments)
    file = tmp_path / "tiny" / "1" / "model.binpb"
    assert (outcome.code, outcome.out) == (0, f"{file}: 2 layers, 53 parameters\n")
    model = read(file)
    assert [(layer.name, layer.dense.units) for layer in model.layers] == [("dense", 3), ("dense_1", 5)]
    kernel, bias = array_of(model.layers[0].dense.kernel), array_of(model.layers[0].dense.bias)
    assert np.abs(kernel).max() <= np.sqrt(6 / 13)
    assert kernel.std() > 0.1
    assert not bias.any()
    assert load_model(file.parent).infer(np.zeros((4, 10))).shape == (4, 5)


def test_layers_come_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    arguments = "--flatten --dense 4 --activation tanh --softmax --dense 3:relu --activation sigmoid --softmax".split()
    numbatch("model", "new", tmp_path / "m", "--input", "2x3", *arguments)
    summary = validate_model(tmp_path / "m" / "1")
    assert [(layer.kind, layer.activation, layer.output_shape) for layer in summary.layers] == [
        ("flatten", "", (6,)),
        ("dense", "", (4,)),
        ("activation", "tanh", (4,)),
        ("softmax", "softmax", (4,)),
        ("dense", "relu", (3,)),
        ("activation", "sigmoid", (3,)),
        ("softmax", "softmax", (3,)),
    ]


def test_a_seed_gives_the_same_bytes_and_none_gives_others(tmp_path: Path) -> None:
    for name, seed in (("a", ["--seed", "7"]), ("b", ["--seed", "7"]), ("c", []), ("d", [])):
        numbatch("model", "new", tmp_path / name, "--name", "m", "--input", "4", "--dense", "4", *seed)
    a, b, c, d = ((tmp_path / name / "m" / "1" / "model.binpb").read_bytes() for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3


def test_the_next_free_version_is_written(tmp_path: Path) -> None:
    for _ in range(2):
        numbatch("model", "new", tmp_path, "--name", "m", "--input", "4", "--dense", "4")
    numbatch("model", "new", tmp_path / "m", "--input", "4", "--dense", "4", "--version", "9")
    numbatch("model", "new", tmp_path / "m", "--input", "4", "--dense", "4")
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["1", "10", "2", "9"]
    assert read(tmp_path / "m" / "10" / "model.binpb").name == "m"


def test_a_version_is_replaced_only_by_force(tmp_path: Path) -> None:
    command = ["model", "new", tmp_path / "m", "--input", "4", "--dense", "4", "--version", "1", "--text"]
    numbatch(*command)
    before = (tmp_path / "m" / "1" / "model.txtpb").read_bytes()
    (tmp_path / "m" / "1" / "notes").write_text("mine")

    refused = numbatch(*command)
    assert refused.code == 2
    assert f"{tmp_path / 'm' / '1'}: is there already" in refused.err
    assert (tmp_path / "m" / "1" / "model.txtpb").read_bytes() == before

    forced = numbatch(*command[:-1], "--force")
    assert forced.code == 0
    assert sorted(path.name for path in (tmp_path / "m" / "1").iterdir()) == ["model.binpb", "notes"]


def test_large_weights_go_beside_the_message(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        outcome = numbatch(
            "model", "new", tmp_path / "m", "--input", "513", "--dense", "512", "--dense", "2", "--seed", "1"
        )
    finally:
        os.umask(previous)
    folder = tmp_path / "m" / "1"
    assert outcome.out.startswith(f"{folder / 'model.binpb'}, {folder / 'weights.safetensors'}: ")
    first, second = (layer.dense for layer in read(folder / "model.binpb").layers)
    assert first.kernel.reference.tensor_name == "dense.kernel"
    assert first.kernel.reference.sha256
    assert second.kernel.data
    assert (folder / "weights.safetensors").stat().st_mode & 0o777 == 0o644
    # The engine checks the digest, and finds the weights where they are said to be.
    assert load_model(folder).infer(np.ones(513)).shape == (2,)


def test_text_is_for_people(tmp_path: Path) -> None:
    numbatch("model", "new", tmp_path / "m", "--input", "4", "--dense", "4", "--text")
    text = (tmp_path / "m" / "1" / "model.txtpb").read_text()
    assert text_format.Parse(text, Model()).layers[0].dense.units == 4
    assert validate_model(tmp_path / "m" / "1").parameter_count == 20


def test_an_activation_may_have_a_parameter(tmp_path: Path) -> None:
    layers = ["--dense", "4:elu:0.5", "--activation", "leaky_relu:0.25", "--activation", "elu"]
    numbatch("model", "new", tmp_path / "m", "--input", "4", *layers, "--text")
    model = text_format.Parse((tmp_path / "m" / "1" / "model.txtpb").read_text(), Model())
    assert model.layers[0].dense.activation == Activation(function=ACTIVATION_FUNCTION_ELU, alpha=0.5)
    assert model.layers[1].activation == Activation(function=ACTIVATION_FUNCTION_LEAKY_RELU, alpha=0.25)
    assert model.layers[2].activation == Activation(function=ACTIVATION_FUNCTION_ELU)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--dense", "3"], "Missing option '--input'"),
        (["--input", "10"], "layers: got none, expected one or more; add --dense"),
        (["--input", "0", "--dense", "3"], "got '0', expected the length of each axis, such as 10 or 28x28"),
        (["--input", "2x", "--dense", "3"], "got '2x', expected the length of each axis"),
        (["--input", "²", "--dense", "3"], "got '²', expected the length of each axis"),
        (["--input", "10", "--dense", "0"], "got '0', expected UNITS, or UNITS:ACTIVATION such as 3:sigmoid"),
        (["--input", "10", "--dense", "3:"], "got '3:', expected UNITS, or UNITS:ACTIVATION"),
        (
            ["--input", "10", "--dense", "3:elu:x"],
            "got 'elu:x', expected ACTIVATION or ACTIVATION:ALPHA such as elu:0.5",
        ),
        (["--input", "10", "--dense", "3:relu:1"], "relu has no alpha: got 1.0, expected none"),
        (["--input", "10", "--activation", "elu:nan"], "alpha: got nan, expected a finite number"),
        (["--input", "10", "--dense", "65537"], "with 1 to 65536 units"),
        (["--input", "10", "--dense", "3:sigmod"], "no such activation: got 'sigmod', expected linear, sigmoid"),
        (["--input", "10", "--activation", "sigmod"], "Invalid value for '--activation'"),
        (["--input", "10", "--dense", "3", "--name", "../x"], "model name: got '../x', expected 1 to 128"),
        (["--input", "10", "--dense", "3", "--name", ""], "model name: got '', expected 1 to 128"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: list[str], problem: str) -> None:
    outcome = numbatch("model", "new", tmp_path / "m", *arguments)
    assert outcome.code == 2
    assert problem in outcome.err
    assert list(tmp_path.iterdir()) == []

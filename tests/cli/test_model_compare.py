"""`numbatch model compare`: what bf16 weights change, and how far two models are apart."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.engine import load_model
from numbatch.engine.precision import round_to_bfloat16
from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import Constant
from numbatch.v1.model_pb2 import Model
from numbatch.wire.graph import GraphWriter
from numbatch.wire.models import array_of
from support.command import numbatch
from support.server import write_model
from support.towers import tower

DIGITS = Path(__file__).parents[2] / "models" / "digits"


def net(*, seed: int = 1, units: int = 3, name: str = "scores") -> Model:
    layers = [Dense(5, "tanh", name="hidden"), Dense(units, name=name)]
    return Sequential([Input((4,)), *layers], seed=seed).to_message("net")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Versions 1 and 2 of a model, which have the same shapes and different weights."""
    write_model(tmp_path, net(seed=1), 1)
    write_model(tmp_path, net(seed=2), 2)
    return tmp_path / "net"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    np.save(tmp_path / "rows.npy", np.random.default_rng(5).standard_normal((300, 4)).astype(np.float32))
    return tmp_path / "rows.npy"


def compare(*arguments: object) -> dict[str, Any]:
    outcome = numbatch("model", "compare", *arguments, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    report: dict[str, Any] = json.loads(outcome.out)
    return report


def test_one_model_is_compared_with_its_rounded_self(folder: Path, rows: Path) -> None:
    report = compare(folder / "1", "--input", rows)
    model = net()
    precise = load_model(model)
    for layer in model.layers:
        layer.dense.kernel.data = round_to_bfloat16(array_of(layer.dense.kernel)).tobytes()
    x = np.load(rows)
    a, b = (loaded.infer(x).astype(np.float64) for loaded in (precise, load_model(model)))
    (scores,) = report.pop("layers")
    rms = np.sqrt(np.mean((b - a) ** 2))
    assert scores == {
        "name": "scores",
        "shape": [3],
        "output": True,
        "max_abs": np.abs(b - a).max(),
        "rms": pytest.approx(rms),
        "relative_rms": pytest.approx(rms / np.sqrt(np.mean(a**2))),
        "max_relative": (np.abs(b - a) / np.abs(a)).max(),
        "max_ulp": (np.abs(b - a) / np.spacing(np.fmax(np.abs(a), np.abs(b)).astype(np.float32))).max(),
        "max_ulp_of_largest": np.abs(b - a).max() / np.spacing(np.float32(np.abs(a).max())),
        "same_largest": np.mean(a.argmax(1) == b.argmax(1)),
    }
    for which, precision in (("baseline", "f32"), ("candidate", "bf16")):
        described = report.pop(which)
        assert described.pop("packed_bytes") > 0
        assert described == {"name": "net", "version": 1, "weights_precision": precision, "accuracy": None}
    assert report == {"input": str(rows), "seed": None, "rows": 300}


def test_two_models_are_compared_as_they_are(folder: Path) -> None:
    report = compare(folder / "1", folder)
    assert [(report[which]["version"], report[which]["weights_precision"]) for which in ("baseline", "candidate")] == [
        (1, "f32"),
        (2, "f32"),
    ]
    assert report["layers"][0]["relative_rms"] > 0.1
    same = compare(folder / "1", folder / "1")["layers"][0]
    assert (same["max_abs"], same["relative_rms"], same["same_largest"]) == (0, 0, 1)


def test_random_rows_are_those_of_their_seed(folder: Path) -> None:
    assert compare(folder)["rows"] == 1000
    one, again, other = (compare(folder, "--rows", 300, "--seed", seed) for seed in (7, 7, 8))
    assert one == again
    assert (one["rows"], one["seed"], one["input"]) == (300, 7, None)
    assert one["layers"] != other["layers"]


@pytest.mark.parametrize("wanted", [["--layers", "hidden"], ["--all-layers"]])
def test_layers_are_compared_in_their_order_and_outputs_always(folder: Path, wanted: list[str]) -> None:
    layers = compare(folder, *wanted)["layers"]
    assert [(layer["name"], layer["output"], layer["shape"]) for layer in layers] == [
        ("hidden", False, [5]),
        ("scores", True, [3]),
    ]


@pytest.fixture
def towers(tmp_path: Path) -> Path:
    """Two versions of a network with several inputs and outputs, of numbers and of row numbers."""
    write_model(tmp_path, tower(seed=1), 1)
    write_model(tmp_path, tower(seed=2), 2)
    return tmp_path / "tower"


@pytest.mark.parametrize("source", ["random", "npz", "csv"])
def test_networks_of_several_inputs_are_compared_layer_by_layer(towers: Path, tmp_path: Path, source: str) -> None:
    arrays: dict[str, Any] = {
        "x": np.ones((2, 8)),
        "user": np.array([[3], [49]]),
        "words": np.array([[1, 2, 3, 0, 0, 0]] * 2),
    }
    np.savez(tmp_path / "rows.npz", **arrays)
    columns = np.concatenate([arrays["x"], arrays["user"], arrays["words"]], axis=1)
    np.savetxt(tmp_path / "rows.csv", columns, delimiter=",")
    rows = [] if source == "random" else ["--input", tmp_path / f"rows.{source}"]
    report = compare(towers / "1", towers / "2", *rows, "--all-layers")
    assert [layer["name"] for layer in report["layers"] if layer["output"]] == ["score", "kind"]
    layers = {layer["name"]: layer for layer in report["layers"]}
    names = {"users", "who", "text", "together", "norm", "wide", "narrow", "residual", "score", "kind"}
    assert layers.keys() == names
    assert all(layer["max_abs"] > 0 for layer in layers.values())
    if source != "random":
        outputs = [load_model(towers / version).infer(arrays, layers=["narrow"])["narrow"] for version in "12"]
        assert layers["narrow"]["max_abs"] == np.abs(np.subtract(*outputs, dtype=np.float64)).max()


def test_row_numbers_are_not_compared_with_numbers(towers: Path, tmp_path: Path) -> None:
    graph = GraphWriter("tower")
    x, user, words = graph.input("x", [8]), graph.input("user", [1]), graph.input("words", [6], integer=True)
    text = graph.embedding(words, np.ones((30, 8)), pooling="sum")
    other = graph.model([graph.concatenate([x, user, text])])
    outcome = numbatch("model", "compare", towers, write_model(tmp_path / "other", other))
    problem = "inputs: the second model has float32 'user', expected int32 'user', as in the first one"
    assert (outcome.code, outcome.err) == (3, f"numbatch: error: {problem}\n")


def test_outputs_of_two_models_are_paired_by_their_position(folder: Path, tmp_path: Path) -> None:
    renamed = write_model(tmp_path / "other", net(name="logits"))
    (layer,) = compare(folder / "1", renamed)["layers"]
    assert (layer["name"], layer["max_abs"]) == ("scores", 0)


def test_one_unit_has_no_largest(tmp_path: Path) -> None:
    folder = write_model(tmp_path, net(units=1))
    assert compare(folder)["layers"][0]["same_largest"] is None


def test_text_shows_rows_memory_accuracy_and_a_table() -> None:
    held_out = DIGITS / "heldout.npz"
    outcome = numbatch("model", "compare", DIGITS, "--input", held_out, "--labels", held_out, "--all-layers")
    lines = outcome.out.splitlines()
    assert lines[0] == f"digits/1 bf16 against digits/1 f32, on 360 rows of {held_out}"
    assert re.fullmatch(r"weights   [\d,]+ bytes against [\d,]+ bytes", lines[2])
    assert re.fullmatch(r"accuracy  98\.\d\d% against 98\.06%", lines[3])
    assert lines[5].split("  ")[0] == "layer"
    assert [line.split()[:2] for line in lines[7:]] == [
        ["hidden_1", "[64]"],
        ["hidden_2", "[32]"],
        ["probabilities", "[10]"],
    ]


@pytest.mark.parametrize("kind", ["csv", "npy", "npz"])
def test_labels_give_the_accuracy_of_both(folder: Path, rows: Path, tmp_path: Path, kind: str) -> None:
    right = load_model(net(seed=1)).infer(np.load(rows)).argmax(1)
    right[:30] = (right[:30] + 1) % 3
    labels = tmp_path / f"labels.{kind}"
    if kind == "csv":
        labels.write_text("label\n" + "\n".join(map(str, right)))
    elif kind == "npy":
        np.save(labels, right)
    else:
        np.savez(labels, labels=right)
    report = compare(folder / "1", folder / "2", "--input", rows, "--labels", labels)
    assert report["baseline"]["accuracy"] == 0.9
    other = load_model(net(seed=2)).infer(np.load(rows)).argmax(1)
    assert report["candidate"]["accuracy"] == np.mean(other == right)


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (
            Sequential([Input((9,)), Dense(3)], seed=1).to_message("net"),
            "inputs: the second model has [9], expected [4], as the first one",
        ),
        (net(units=2), "outputs: the second model has [2], expected [3], as the first one"),
        (
            Sequential([Input((4,)), Dense(6, name="hidden"), Dense(3)], seed=1).to_message("net"),
            "layer 'hidden': the second model has [6], expected [5], as the first one",
        ),
        (
            Sequential([Input((4,)), Dense(3, name="scores")], seed=1).to_message("net"),
            "layer 'hidden': not in the second model, which has scores",
        ),
    ],
)
def test_models_that_do_not_fit_each_other_are_3(folder: Path, tmp_path: Path, other: Model, problem: str) -> None:
    outcome = numbatch("model", "compare", folder, write_model(tmp_path / "other", other), "--layers", "hidden")
    assert (outcome.code, outcome.out, outcome.err) == (3, "", f"numbatch: error: {problem}\n")


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["net", "--input", "rows.npy", "--rows", "3"], 2, "--input and --rows: give one of them"),
        (["net", "--labels", "labels.npy"], 2, "--labels: needs the rows that they belong to, --input"),
        (["net", "--layers", "hiden"], 3, "layer 'hiden': not in the first model, which has hidden, scores"),
        (["nowhere"], 3, "nowhere: No such file or directory"),
        ([".", "--rows", "3"], 3, ".: a model repository; name one of its models: net, other"),
        (["other", "--input", "rows.npy", "--labels", "labels.npy"], 3, "are [1], expected one of several units"),
        (
            ["net", "--input", "rows.npy", "--labels", "labels.npy"],
            3,
            "labels: got 3, expected one for each of 300 rows",
        ),
        (
            ["net", "--input", "rows.npy", "--labels", "rows.npy"],
            3,
            "rows.npy: got float32 [300, 4], expected one whole",
        ),
        (["net", "--input", "rows.npy", "--labels", "halves.csv"], 3, "got float64 [1], expected one whole number for"),
        (["net", "--input", "rows.npy", "--labels", "labels.txt"], 2, "expected labels in a .npy, .npz or .csv file"),
        (["huge"], 3, "model.layers[0].dense.kernel[0, 0]: an infinity once rounded to bf16: got 3.4e+38"),
    ],
)
def test_what_cannot_be_compared_is_said(
    folder: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, problem: str
) -> None:
    monkeypatch.chdir(folder.parent)
    one = Sequential([Input((4,)), Dense(1)], seed=1).to_message("other")
    write_model(folder.parent, one)
    np.save("labels.npy", [0, 1, 2])
    Path("halves.csv").write_text("0.5\n")
    if arguments == ["huge"]:
        huge = Dense(1, kernel_initializer=Constant(3.4e38))
        write_model(folder.parent, Sequential([Input((1,)), huge]).to_message("huge"))
    outcome = numbatch("model", "compare", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert problem in outcome.err

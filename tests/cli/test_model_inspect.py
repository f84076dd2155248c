"""`numbatch model inspect`: the same description from disk and from a server."""

import json
import re
from pathlib import Path

import pytest

from numbatch.models import Dense, Flatten, Input, Sequential
from support.command import numbatch
from support.server import running_server, write_model
from support.towers import tower


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two versions of `net`, the newer one with a description and metadata."""
    write_model(tmp_path, Sequential([Input((4,)), Dense(1)], seed=1).to_message("net"), 1)
    layers = [Flatten(), Dense(5, "relu", name="hidden"), Dense(2, "softmax")]
    model = Sequential([Input((2, 3)), *layers], seed=1).to_message("net")
    model.description = "A network."
    model.metadata["made_by"] = "a test"
    write_model(tmp_path, model, 10)
    return tmp_path


def test_the_newest_version_of_a_model_is_shown(repository: Path) -> None:
    outcome = numbatch("model", "inspect", repository / "net", "--no-measure")
    lines = [line.split() for line in outcome.out.splitlines()]
    assert outcome.out.startswith("net/10  arithmetic f32-1\nA network.\ninputs   input [..., 2, 3]\n")
    assert ["flatten", "flatten", "[6]", "-", "0", "0"] in lines
    assert ["hidden", "dense", "[5]", "relu", "35"] in [line[:5] for line in lines]
    assert ["dense", "dense", "[2]", "softmax", "12"] in [line[:5] for line in lines]
    assert ["3", "layers", "47"] in [line[:3] for line in lines]
    assert lines[-1] == ["made_by", "a", "test"]


@pytest.mark.parametrize("path", ["net/10", "net/10/model.binpb", ".", "net"])
def test_json_has_everything(repository: Path, path: str) -> None:
    described = json.loads(numbatch("model", "inspect", repository / path, "--json", "--no-measure").out)
    packed = [layer.pop("packed_bytes") for layer in described["layers"]]
    assert described.pop("packed_bytes") == sum(packed) > 47 * 4
    assert described.pop("held_bytes") > sum(packed)
    assert described == {
        "name": "net",
        "version": None if path.endswith("binpb") else 10,
        "description": "A network.",
        "numeric_contract": "f32-1",
        "weights_precision": None,
        "inputs": [{"name": "input", "data_type": "float32", "shape": [2, 3]}],
        "outputs": [{"name": "dense", "data_type": "float32", "shape": [2]}],
        "layers": [
            layer("flatten", "flatten", ["input"], [6], "", 0),
            layer("hidden", "dense", ["flatten"], [5], "relu", 35),
            layer("dense", "dense", ["hidden"], [2], "softmax", 12),
        ],
        "parameter_count": 47,
        "measured": None,
        "metadata": {"made_by": "a test"},
    }


def layer(name: str, kind: str, inputs: list[str], shape: list[int], activation: str, parameters: int) -> object:
    return {
        "name": name,
        "kind": kind,
        "inputs": inputs,
        "output_shape": shape,
        "activation": activation,
        "parameter_count": parameters,
    }


def test_the_time_of_a_row_is_measured_alone_and_in_a_large_batch(repository: Path) -> None:
    measured = json.loads(numbatch("model", "inspect", repository / "net", "--json").out)["measured"]
    assert measured["compute_threads"] >= 1
    assert [batch["rows"] for batch in measured["batches"]] == [1, 1024]
    assert all(batch["seconds_per_row"] > 0 and batch["calls"] >= 3 for batch in measured["batches"])
    out = numbatch("model", "inspect", repository / "net").out
    assert re.search(r"\nmemory   [\d,]+ bytes: packed weights, and scratch memory for one batch\n", out)
    assert re.search(
        r"\ntime     [\d.]+ \w?s a row alone and [\d.]+ \w?s a row in batches of 1,024: medians on rand", out
    )


def test_the_types_of_inputs_and_what_takes_them_are_shown(tmp_path: Path) -> None:
    out = numbatch("model", "inspect", write_model(tmp_path, tower()), "--no-measure").out
    assert "inputs   x [..., 8], user int32 [..., 1], words int32 [..., 6]\n" in out
    assert ["residual", "add", "norm,", "narrow", "[24]"] in [line.split()[:5] for line in out.splitlines()]


def test_a_server_tells_the_types_too(server: str) -> None:
    described = json.loads(numbatch("model", "inspect", "tower", "--server", server, "--json").out)
    assert described["inputs"][1] == {"name": "user", "data_type": "int32", "shape": [1]}
    assert (described["measured"], described["held_bytes"]) == (None, None)


def test_the_graph_is_drawn_the_same_from_disk_and_from_a_server(server: str, tmp_path: Path) -> None:
    write_model(tmp_path, tower())
    outcome = numbatch("model", "inspect", tmp_path / "tower", "--no-measure", "--plot", tmp_path / "disk.svg")
    assert (outcome.code, outcome.err) == (0, "")
    numbatch("model", "inspect", "tower/1", "--server", server, "--plot", tmp_path / "server.svg")
    drawn = (tmp_path / "disk.svg").read_text()
    assert drawn.startswith("<svg ")
    assert drawn == (tmp_path / "server.svg").read_text()


def test_what_layers_take_is_shown_where_it_is_not_the_one_before(tmp_path: Path) -> None:
    layers = [Dense(2, name=name) for name in "abc"]
    model = Sequential([Input((2,)), *layers], seed=1).to_message("fork")
    model.layers[2].inputs.append("a")
    model.outputs.extend(["b", "c"])
    out = numbatch("model", "inspect", write_model(tmp_path, model)).out
    assert "outputs  b [..., 2], c [..., 2]\n" in out
    assert ["c", "dense", "a", "[2]"] in [line.split()[:4] for line in out.splitlines()]


def test_a_server_tells_the_same_as_the_disk(server: str, tmp_path: Path) -> None:
    on_server = numbatch("model", "inspect", "double/1", "--server", server, "--json")
    described = json.loads(on_server.out)
    assert (described["name"], described["version"], described["parameter_count"]) == ("double", 1, 12)
    assert described["weights_precision"] == "f32"
    assert [layer["name"] for layer in described["layers"]] == ["once", "twice"]


def test_a_server_tells_the_precision_of_the_weights() -> None:
    model = Sequential([Input((4,)), Dense(1)], seed=1).to_message("net")
    with running_server([model], weights_precision="bf16") as running:
        outcome = numbatch("model", "inspect", "net", "--server", running.address)
    assert outcome.out.startswith("net/1  arithmetic f32-1, weights bf16\n")


def test_a_path_comes_before_the_environments_server(
    server: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBATCH_SERVER", server)
    monkeypatch.chdir(repository)
    (repository / "net").rename(repository / "double")
    # The folder is named `double`, and so is a model on the server.
    assert "expected 'double'" in numbatch("model", "inspect", "double").err
    assert numbatch("model", "inspect", "sum").out.startswith("sum/1  ")
    assert numbatch("model", "inspect", "double", "--server", server).out.startswith("double/1  ")


def test_a_repository_asks_which_model(repository: Path) -> None:
    write_model(repository, Sequential([Input((4,)), Dense(1)], seed=1).to_message("other"))
    outcome = numbatch("model", "inspect", repository)
    assert outcome.code == 3
    assert outcome.err.endswith(f"{repository}: a model repository; name one of its models: net, other\n")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere", "no such file or folder; name a model's folder, or a server's model with --server"),
        ("empty", "no model there; expected a model repository (NAME/VERSION/model.binpb), a model, or a version"),
        ("text", "no model there"),
    ],
)
def test_no_model_is_3(tmp_path: Path, path: str, problem: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "page.txt").write_text("hello")
    outcome = numbatch("model", "inspect", tmp_path / path)
    assert outcome.code == 3
    assert f"numbatch: error: {tmp_path / path}: {problem}" in outcome.err

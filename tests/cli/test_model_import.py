"""`numbatch model import`: what it writes, what it verifies, and when it writes nothing."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch import convert
from numbatch.convert import Converted
from numbatch.engine import load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from support import numpy_model
from support.command import numbatch

NET = Sequential([Input((4,)), Dense(5, "tanh", name="hidden"), Dense(3, name="scores")], seed=1).to_message("net")
NET.outputs.append("scores")


class Reader:
    """A reader of ONNX that returns NET whatever the file is, its original `off` by so much in the first element."""

    def __init__(self) -> None:
        self.off = 0.0
        self.original = True
        self.notes = ("dropout_1: left out, as it does nothing here",)
        self.named = "net"
        self.calls: list[tuple[Any, dict[str, Any]]] = []

    def __call__(self, source: Any, **given: Any) -> Converted:
        self.calls.append((source, given))
        model = Model()
        model.CopyFrom(NET)
        model.name = given["name"] or self.named
        return Converted(model, self.reference if self.original else None, self.notes)

    def reference(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        scores = numpy_model.run(NET, inputs)["scores"]
        scores[0, 0] += self.off
        return {"scores": scores}


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    reader = Reader()
    for framework in ("onnx", "torch", "keras"):
        # Into the dictionary: asking for the attribute would import the framework's reader.
        monkeypatch.setitem(vars(convert), f"from_{framework}", reader)
    monkeypatch.chdir(tmp_path)
    Path("tower.onnx").write_bytes(b"\x08\x0a\x3a\x00")
    Path("tower.pt2").write_bytes(b"stands for it")
    Path("weights.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    Path("net.json").write_text('{"class_name": "Sequential", "config": {}}')
    return reader


def files() -> list[str]:
    return sorted(str(path) for path in Path("models").rglob("*") if path.is_file())


def test_the_model_is_written_verified_and_what_was_found_is_shown(reader: Reader) -> None:
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models")
    lines = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert lines[0] == "models/net/1/model.binpb: 2 layers, 43 parameters, of an ONNX file"
    assert lines[1] == "note: dropout_1: left out, as it does nothing here"
    assert lines[3] == "the same as the original on 512 random rows"
    assert lines[5].split()[:2] == ["output", "shape"]
    assert lines[7].split()[:2] == ["scores", "[3]"]
    assert load_model("models/net/1").infer([1.0, 2, 3, 4]).shape == (3,)


def test_json_has_everything(reader: Reader) -> None:
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models", "--json", "--rows", 300, "--seed", 7)
    report = json.loads(outcome.out)
    (check,) = report.pop("verification")["checks"]
    (scores,) = check.pop("outputs")
    assert check == {"input": None, "seed": 7, "rows": 300}
    assert (scores["name"], scores["shape"], scores["passed"], scores["not_finite_alone"]) == ("scores", [3], True, 0)
    assert 0 <= scores["relative"] < scores["tolerance"] < 1e-4
    assert report == {
        "source": "tower.onnx",
        "kind": "an ONNX file",
        "name": "net",
        "version": 1,
        "files": ["models/net/1/model.binpb"],
        "layers": 2,
        "parameter_count": 43,
        "notes": list(reader.notes),
        "not_verified": "",
    }


def test_what_does_not_compute_the_same_is_not_written_and_1(reader: Reader) -> None:
    reader.off = 0.1
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models")
    assert outcome.code == 1
    assert "NOT THE SAME on 512 random rows" in outcome.out
    assert outcome.err.startswith("numbatch: error: output 'scores': not the original's: got 0.0")
    assert " of its largest element, expected at most " in outcome.err
    assert "nothing was written; give rows like yours with --input, or allow more with --tolerance" in outcome.err
    assert files() == []
    reported = numbatch("model", "import", "tower.onnx", "--output", "models", "--json")
    assert (reported.code, json.loads(reported.out)["files"]) == (1, [])


def test_nan_in_one_alone_is_said(reader: Reader) -> None:
    reader.off = math.nan
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models", "--rows", 10)
    assert "got 1 NaN or infinite in one of the two alone, expected none; nothing was written" in outcome.err


def test_more_may_be_allowed_or_nothing_verified(reader: Reader) -> None:
    reader.off = 0.1
    assert numbatch("model", "import", "tower.onnx", "--output", "models", "--tolerance", 0.5).code == 0
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models", "--no-verify")
    assert "not verified: not asked for" in outcome.out
    assert files() == ["models/net/1/model.binpb", "models/net/2/model.binpb"]


def test_without_the_framework_it_says_that_it_did_not_verify(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    reader.original = False
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models")
    hint = "there is no original to compare with, as onnxruntime is not installed: pip install onnxruntime"
    assert outcome.code == 0
    assert f"not verified: {hint}\n" in outcome.out
    insisted = numbatch("model", "import", "tower.onnx", "--output", "models", "--verify")
    assert (insisted.code, insisted.err) == (2, f"numbatch: error: --verify: {hint}\n")
    assert files() == ["models/net/1/model.binpb"]


def test_a_source_that_cannot_be_run_is_not_taken_for_a_missing_framework(reader: Reader) -> None:
    reader.original = False
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models")
    assert "not verified: there is no original to compare with: an ONNX file cannot be run by itself\n" in outcome.out


def test_rows_of_files_are_verified_beside_random_ones(reader: Reader) -> None:
    np.save("a.npy", np.ones((3, 4)))
    Path("b.csv").write_text("1,2,3,4\n5,6,7,8\n")
    outcome = numbatch("model", "import", "tower.onnx", "-o", "models", "--input", "a.npy", "--input", "b.csv")
    assert "the same as the original on 5 rows of a.npy, b.csv\n" in outcome.out
    assert numbatch("model", "import", "tower.onnx", "-o", "models", "--input", "c.npy").code == 3


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["--name", "tall.1"], "models/tall.1/1/model.binpb"),
        (["--version", "7"], "models/net/7/model.binpb"),
        (["--text"], "models/net/1/model.txtpb"),
    ],
)
def test_name_version_and_form_may_be_given(reader: Reader, arguments: list[str], written: str) -> None:
    assert numbatch("model", "import", "tower.onnx", "--output", "models", *arguments).code == 0
    assert files() == [written]


def test_a_version_that_is_there_is_replaced_by_force_alone(reader: Reader) -> None:
    arguments = ["model", "import", "tower.onnx", "--output", "models", "--version", 1]
    assert numbatch(*arguments).code == 0
    refused = numbatch(*arguments)
    assert (refused.code, refused.err.count("is there already")) == (2, 1)
    assert numbatch(*arguments, "--force").code == 0


@pytest.mark.parametrize(("named", "name"), [("", "tower"), ("my net (final)", "my_net_final_"), ("_x", "x")])
def test_a_name_that_no_model_may_have_becomes_one(reader: Reader, named: str, name: str) -> None:
    reader.named = named
    numbatch("model", "import", "tower.onnx", "--output", "models")
    assert files() == [f"models/{name}/1/model.binpb"]


def test_readers_get_what_belongs_to_them(reader: Reader) -> None:
    numbatch("model", "import", "net.json", "--output", "models", "--weights", "weights.safetensors")
    numbatch("model", "import", "tower.pt2", "-o", "models", "--architecture", "net.json", "--name", "b")
    assert reader.calls == [
        (Path("net.json"), {"name": "", "weights": Path("weights.safetensors")}),
        (Path("tower.pt2"), {"name": "b", "architecture": Path("net.json")}),
    ]


def test_the_architecture_of_weights_may_be_a_live_module(reader: Reader) -> None:
    Path("towers_here.py").write_text("class Net: pass\n")
    numbatch("model", "import", "weights.safetensors", "-o", "models", "--architecture", "towers_here:Net")
    ((_, given),) = reader.calls
    assert type(given["architecture"]).__name__ == "Net"


def test_a_module_of_pytorch_is_called_with_the_first_rows(reader: Reader) -> None:
    np.save("rows.npy", np.ones((3, 4)))
    np.savez("rows.npz", input=np.ones((3, 4)))
    numbatch("model", "import", "tower.pt2", "-o", "models", "--input", "rows.npy")
    numbatch("model", "import", "tower.pt2", "-o", "models", "--input", "rows.npz")
    one, named = (given["example"] for _, given in reader.calls)
    assert (one.shape, one.dtype) == ((3, 4), np.float32)
    assert named["input"].shape == (3, 4)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (
            ["tower.onnx", "--weights", "net.json"],
            3,
            "weights: got with an ONNX file, expected only with an architecture",
        ),
        (
            ["tower.onnx", "--architecture", "net.json"],
            3,
            "architecture: got with an ONNX file, expected only with weights",
        ),
        (["tower.onnx", "--name", "../x"], 2, "model name: got '../x', expected 1 to 128"),
        (["tower.onnx", "--weights", "missing.h5"], 2, "File 'missing.h5' does not exist"),
        (["missing.onnx"], 3, "missing.onnx: No such file or directory"),
        (["no.such.module:net"], 3, "no.such.module:net: got no no, expected a module of the current folder"),
        (["tower.onnx", "--input", "rows.txt"], 2, "rows.txt: expected a .npy, .npz or .csv file"),
    ],
)
def test_what_is_wrong_is_one_line(reader: Reader, arguments: list[str], code: int, problem: str) -> None:
    outcome = numbatch("model", "import", *arguments, "--output", "models")
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert problem in outcome.err
    assert files() == []


def test_what_cannot_be_served_names_the_node_its_kind_and_what_to_do(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> Converted:
        hint = "export the network without it"
        raise error(Reason.LAYER_UNSUPPORTED, "not of a dense network", field="/conv1/Conv", got="Conv", hint=hint)

    monkeypatch.setitem(vars(convert), "from_onnx", refuses)
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models")
    line = "/conv1/Conv: not of a dense network: got Conv; export the network without it (LAYER_UNSUPPORTED)"
    assert (outcome.code, outcome.err) == (3, f"numbatch: error: {line}\n")


@pytest.mark.parametrize(
    ("module", "package"),
    [("torch", "torch"), ("keras", "keras"), ("onnx.helper", "'numbatch[convert]'"), ("h5py", "'numbatch[convert]'")],
)
def test_a_missing_framework_is_named(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    def needs(*_: Any, **__: Any) -> Converted:
        raise ModuleNotFoundError(name=module)

    monkeypatch.setitem(vars(convert), "from_onnx", needs)
    outcome = numbatch("model", "import", "tower.onnx", "--output", "models")
    needed = module.partition(".")[0]
    hint = f"this command needs {needed}, which is not installed: pip install {package}"
    assert (outcome.code, outcome.err) == (2, f"numbatch: error: {hint}\n")

"""`numbatch model import` beside the frameworks: each kind of source becomes a model that computes the same."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.command import numbatch

pytestmark = [
    # Keras asks NumPy for arrays in a way that NumPy 2 warns of, and torch.export its own parts.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

ROWS = np.random.default_rng(4).standard_normal((40, 6)).astype(np.float32)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", ROWS)


def imported(*arguments: object) -> dict[str, Any]:
    outcome = numbatch("model", "import", *arguments, "--output", "models", "--verify", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    report: dict[str, Any] = json.loads(outcome.out)
    assert report["verification"]["passed"]
    return report


@pytest.fixture
def keras_model() -> Any:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    keras.utils.set_random_seed(1)
    x = keras.Input((6,), name="x")
    y = keras.layers.Dense(6, "gelu", name="hidden")(x)
    y = keras.layers.Add(name="residual")([x, y])
    return keras.Model(x, keras.layers.Dense(3, "softmax", name="probabilities")(y), name="tower")


def test_a_keras_file(keras_model: Any) -> None:
    keras_model.save("tower.keras")
    report = imported("tower.keras", "--input", "rows.npy")
    assert (report["kind"], report["name"], report["version"]) == ("a Keras file", "tower", 1)
    random, given = report["verification"]["checks"]
    assert (random["rows"], given["rows"], given["input"]) == (512, 40, ["rows.npy"])


def test_an_architecture_and_weights_of_keras(keras_model: Any) -> None:
    Path("net.json").write_text(keras_model.to_json())
    keras_model.save_weights("net.weights.h5")
    outcome = numbatch("model", "import", "net.json", "--weights", "net.weights.h5", "--output", "models")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("models/tower/1/model.binpb: 3 layers, 63 parameters, of an architecture of Keras\n")


NETWORK = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.hidden = torch.nn.Linear(6, 6)
        self.scores = torch.nn.Linear(6, 3)

    def forward(self, x):
        return self.scores(x + torch.relu(self.hidden(x)))
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[str]:
    """The name of a module in the current folder that defines Net."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    name = f"net_{tmp_path.name}"
    Path(f"{name}.py").write_text(NETWORK)
    yield name


def test_a_live_module_of_pytorch(module: str) -> None:
    report = imported(f"{module}:Net", "--input", "rows.npy", "--name", "net")
    assert (report["kind"], report["layers"]) == ("a live Net", 4)
    assert report["verification"]["checks"][1]["rows"] == 40


def test_an_exported_program_and_weights_of_pytorch(module: str) -> None:
    import torch

    from numbatch.convert import detect

    net = detect(f"{module}:Net").source.eval()
    rows = {"x": {0: torch.export.Dim("rows")}}
    torch.export.save(torch.export.export(net, (torch.from_numpy(ROWS),), dynamic_shapes=rows), "net.pt2")
    torch.save(net.state_dict(), "net.pt")
    assert imported("net.pt2")["kind"] == "an exported program of PyTorch"
    assert imported("net.pt", "--architecture", f"{module}:Net", "--name", "net")["version"] == 2


def test_a_pipeline_of_scikit_learn() -> None:
    sio = pytest.importorskip("skops.io", reason="skops is not installed")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    sio.dump(pipeline.fit(5 + 100 * ROWS, ROWS[:, 0] > ROWS[:, 1]), "pipeline.skops")
    report = imported("pipeline.skops", "--input", "rows.npy")
    assert report["kind"] == "a skops file"


def test_onnx_there_and_back(keras_model: Any) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    keras_model.save("tower.keras")
    imported("tower.keras")
    assert numbatch("model", "export", "models/tower", "--output", "tower.onnx").code == 0
    report = imported("tower.onnx", "--name", "again")
    compared = json.loads(numbatch("model", "compare", "models/tower", "models/again", "--json").out)
    assert report["kind"] == "an ONNX file"
    assert [layer["max_abs"] for layer in compared["layers"]] == [0.0]


def test_keras_there_and_back(keras_model: Any) -> None:
    keras_model.save("tower.keras")
    imported("tower.keras")
    assert numbatch("model", "export", "models/tower", "--output", "again.keras").code == 0
    imported("again.keras", "--name", "again")
    compared = json.loads(numbatch("model", "compare", "models/tower", "models/again", "--json").out)
    assert [layer["max_abs"] for layer in compared["layers"]] == [0.0]

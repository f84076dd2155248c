"""The thin client: the wheel beside grpcio, protobuf and numpy, and nothing else, talks to a server."""

import json
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

from numbatch.engine import load_model
from support.project import ROOT
from support.server import running_server

# typing-extensions is grpcio's.
DEPENDENCIES = ("grpcio", "protobuf", "numpy", "typing_extensions")

SCRIPT = """
import importlib.util, json, sys
for name in ("numba", "llvmlite", "click", "rich", "safetensors", "grpc_health"):
    assert importlib.util.find_spec(name) is None, name
from numbatch.client import Client
with Client(sys.argv[1]) as client:
    rows = json.loads(sys.argv[2])
    answer = client.infer("digits", rows)
    streamed = [answer.tolist() for answer in client.stream("digits", [[row] for row in rows])]
    print(json.dumps({"answer": answer.tolist(), "streamed": streamed, "ready": client.is_ready("digits")}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """An environment that holds the wheel and its three dependencies, as they are installed here."""
    environment = tmp_path_factory.mktemp("thin")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    for name in DEPENDENCIES:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files if ".." not in file.parts}:
            here, there = Path(str(distribution(name).locate_file(top))), site / top
            # protobuf shares the folder google/ with others: its own part of it only.
            if top == "google":
                there.mkdir()
                here, there = here / "protobuf", there / "protobuf"
            if here.exists():
                there.symlink_to(here)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return environment / "bin" / "python"


def test_the_wheel_without_extras_infers(python: Path) -> None:
    rows = [[(row + column) % 17 / 16 for column in range(64)] for row in range(3)]
    expected = load_model(ROOT / "models" / "digits" / "1").infer(rows)
    assert isinstance(expected, np.ndarray)
    with running_server(repository=ROOT / "models") as server:
        command = [str(python), "-I", "-c", SCRIPT, server.address, json.dumps(rows)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    # Equal, not close: a number that goes through JSON comes back with the same bits.
    answers = expected.tolist()
    assert json.loads(ran.stdout) == {"answer": answers, "streamed": [[row] for row in answers], "ready": True}


def test_the_command_says_what_it_needs(python: Path) -> None:
    ran = subprocess.run([python, "-I", "-m", "numbatch.cli", "health"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "pip install 'numbatch[cli]'" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1

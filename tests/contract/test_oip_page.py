"""The page on the Open Inference Protocol says what there is, and its example runs."""

import re
import subprocess
import sys

import pytest

from numbatch.oip.grpc_inference_service_pb2 import DESCRIPTOR
from numbatch.serving.oip.datatypes import DATA_TYPES
from numbatch.serving.oip.parameters import REQUEST_PARAMETERS
from numbatch.serving.oip.shared_memory import MOST_REGIONS
from support.project import ROOT
from support.server import running_server

PAGE = (ROOT / "docs" / "open-inference-protocol.md").read_text()


def first_cells(header: str) -> list[str]:
    """What is named in the first column of the table with this header."""
    table = PAGE.partition(f"| {header} |")[2].partition("\n\n")[0]
    return [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_method_is_there_once() -> None:
    methods = [method.name for method in DESCRIPTOR.services_by_name["GRPCInferenceService"].methods]
    assert sorted(first_cells("Method")) == sorted(methods)


def test_every_data_type_is_there_once() -> None:
    assert sorted(first_cells("Data type")) == sorted([*DATA_TYPES, "BYTES"])


def test_every_parameter_that_means_something_is_there() -> None:
    assert [name for name in REQUEST_PARAMETERS if f"`{name}`" not in PAGE] == []
    assert f"at most {MOST_REGIONS} regions" in PAGE


def test_the_example_runs_as_written() -> None:
    pytest.importorskip("tritonclient.grpc")
    code = PAGE.partition("```python\n")[2].partition("```")[0]
    with running_server(repository=ROOT / "models") as server:
        code = code.replace("127.0.0.1:8001", server.address)
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "(4, 10)\n"), ran.stderr

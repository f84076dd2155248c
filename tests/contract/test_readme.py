"""What the READMEs say is true: their Python runs as written, and their links lead somewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import ROOT
from support.server import RunningServer, running_server

README, CONTRACT = ((ROOT / page).read_text() for page in ("README.md", "proto/README.md"))
BLOCKS = re.findall(r"```python\n(.*?)```", README + CONTRACT, re.DOTALL)
PAGES = [path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
ADDRESS = "127.0.0.1:8001"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(repository=ROOT / "models") as running:
        yield running


def test_the_readme_shows_the_client_and_the_engine() -> None:
    assert any("client.infer(" in block for block in BLOCKS)
    assert any("load_model(" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_python_in_the_readmes_runs_as_written(block: str, server: RunningServer) -> None:
    # As written, but for the port: the one that the README names may be taken.
    code = block.replace(ADDRESS, server.address)
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said = [line.rpartition("  # ")[2] for line in block.splitlines() if "print(" in line and "  # " in line]
    for expected in said:
        assert expected in ran.stdout.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []

"""The Dockerfile, as far as it can be looked at where there is no Docker daemon; `make test-container` builds it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.dockerfile import FILE, TEXT, last, stages
from support.project import ROOT, pyproject


def test_a_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not published for this kind of machine")
    linted = subprocess.run([linter, "--no-color", FILE], capture_output=True, text=True, check=False)
    assert linted.stdout + linted.stderr == ""


def test_what_is_built_unless_something_else_is_asked_for_is_the_server() -> None:
    assert list(stages())[-1] == "server"


@pytest.mark.parametrize("stage", ["client", "server"])
def test_it_is_run_by_a_user_whose_number_says_that_it_is_not_root(stage: str) -> None:
    user, group = last(stage, "USER").split(":")
    assert int(user) > 0 < int(group)


@pytest.mark.parametrize("stage", ["client", "server"])
def test_signals_reach_the_program_as_no_shell_stands_between(stage: str) -> None:
    assert json.loads(last(stage, "ENTRYPOINT")) == ["numbatch"]
    assert isinstance(json.loads(last(stage, "CMD")), list)


def test_the_version_in_its_labels_is_that_of_the_package() -> None:
    assert f"ARG VERSION={pyproject()['project']['version']}" in stages()["server"]


def test_what_is_copied_is_sent_to_the_daemon() -> None:
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    needed: set[Any] = {*re.findall(r"^COPY (\S+/\S+) ", TEXT, re.M), *re.findall(r"python (\S+\.py)", TEXT)}
    hatch = pyproject()["tool"]["hatch"]["build"]
    needed |= {Path(package).parts[0] for package in hatch["targets"]["wheel"]["packages"]}
    needed |= {*hatch["targets"]["wheel"]["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    assert needed <= sent
    assert all((ROOT / name).exists() for name in sent)

"""Versions that have to agree, and locks that have to fit what is asked for."""

import re
from collections.abc import Iterable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from support.project import ROOT, pyproject

PROJECT = pyproject()["project"]
EXTRAS = PROJECT["optional-dependencies"]
GROUPS = pyproject()["dependency-groups"]
BASE = {Requirement(text).name: Requirement(text) for text in PROJECT["dependencies"]}


def floor(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == ">="
    return specifier.version


def lock(name: str) -> dict[str, list[Version]]:
    """The pins of a lock; a package has several where they depend on the Python version."""
    pins: dict[str, list[Version]] = {}
    for pin in re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE):
        pins.setdefault(pin[0], []).append(Version(pin[1]))
    return pins


def test_the_base_install_is_the_thin_client() -> None:
    assert sorted(BASE) == ["grpcio", "numpy", "protobuf"]


def test_protobuf_may_be_as_old_as_the_stubs_and_no_older() -> None:
    made_by = {
        re.search(r"Protobuf Python Version: ([\d.]+)", stub.read_text())[1]  # type: ignore[index]
        for stub in (ROOT / "proto").rglob("*_pb2.py")
    }
    assert made_by == {floor(BASE["protobuf"])}


def test_grpcio_may_be_as_old_as_the_generator_and_no_older() -> None:
    (pin,) = (text for text in GROUPS["dev"] if text.startswith("grpcio-tools"))
    assert pin == f"grpcio-tools=={floor(BASE['grpcio'])}"
    grpc_extras = [Requirement(text) for text in EXTRAS["server"] if text.startswith("grpcio-")]
    assert {floor(requirement) for requirement in grpc_extras} == {floor(BASE["grpcio"])}


def test_the_changelog_starts_with_this_version() -> None:
    top = re.search(r"^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert top
    assert top[1] == PROJECT["version"]


LOCKS = {
    "server.txt": [*PROJECT["dependencies"], *EXTRAS["cli"], *EXTRAS["server"], *GROUPS["build"]],
    "dev.txt": [*PROJECT["dependencies"], *EXTRAS["cli"], *EXTRAS["server"], *GROUPS["build"], *GROUPS["dev"]],
}


@pytest.mark.parametrize(("name", "requirements"), LOCKS.items())
def test_a_lock_fits_what_pyproject_asks_for(name: str, requirements: Iterable[str]) -> None:
    pins = lock(name)
    asked = [Requirement(text) for text in requirements if not text.startswith("numbatch[")]
    unmet = [
        str(requirement)
        for requirement in asked
        if not all(v in requirement.specifier for v in pins.get(canonicalize_name(requirement.name), [Version("0")]))
    ]
    assert unmet == []


def test_tests_run_on_what_is_installed_to_serve() -> None:
    assert lock("server.txt").items() <= lock("dev.txt").items()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(name: str) -> None:
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links", (ROOT / "requirements" / name).read_text()) == []

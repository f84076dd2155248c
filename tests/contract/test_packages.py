"""The shape of the package: one namespace in three roots, typed, and a wheel of just that."""

import email
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.project import ROOT, SOURCE_ROOTS, portions, pyproject

NAMESPACES = [ROOT / root / "numbatch" for root in SOURCE_ROOTS]


@pytest.mark.parametrize("folder", NAMESPACES, ids=SOURCE_ROOTS)
def test_the_namespace_folder_holds_nothing_but_packages(folder: Path) -> None:
    # One __init__.py here would hide the packages of the other roots.
    assert [path.name for path in folder.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("portion", portions(), ids=lambda portion: portion.name)
def test_every_package_says_that_it_is_typed(portion: Path) -> None:
    assert (portion / "py.typed").is_file()


def test_no_package_is_in_two_roots() -> None:
    names = [portion.name for portion in portions()]
    assert sorted(names) == sorted(set(names))


def test_the_wheel_holds_every_package_and_nothing_else(wheel: Path) -> None:
    files = (path for folder in NAMESPACES for path in folder.rglob("*") if path.is_file())
    expected = {f"numbatch/{path.relative_to(_namespace(path))}" for path in files if "__pycache__" not in path.parts}
    included = pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for folder, place in included.items():
        contained = ((ROOT / folder, path) for path in (ROOT / folder).rglob("*") if path.is_file())
        expected |= {f"{place}/{path.relative_to(top)}" for top, path in contained}
    with zipfile.ZipFile(wheel) as archive:
        contents = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert contents == expected


def test_the_wheel_alone_asks_for_the_thin_client_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    asked = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    assert {one.name for one in asked if "extra" not in str(one.marker)} == {"grpcio", "numpy", "protobuf"}


def _namespace(path: Path) -> Path:
    return next(folder for folder in NAMESPACES if path.is_relative_to(folder))

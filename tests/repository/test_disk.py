"""A folder -> the models and versions in it."""

import os
import re
from pathlib import Path

import pytest

from numbatch.repository.disk import FoundVersion, scan
from support.closed_folder import close


def make(repository: Path, *files: str) -> None:
    for file in files:
        path = repository / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_versions_are_found_in_order_of_name_and_number(tmp_path: Path) -> None:
    make(tmp_path, "iris/1/model.binpb", "digits/10/model.binpb", "digits/9/model.txtpb")
    assert scan(tmp_path) == [
        FoundVersion("digits", 9, tmp_path / "digits/9"),
        FoundVersion("digits", 10, tmp_path / "digits/10"),
        FoundVersion("iris", 1, tmp_path / "iris/1"),
    ]


def test_an_empty_repository_has_no_models(tmp_path: Path) -> None:
    assert scan(tmp_path) == []


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "train.py",
        ".git/1/model.binpb",  # hidden
        "digits/latest/model.binpb",  # no number
        "digits/0/model.binpb",  # versions begin at 1
        "digits/01/model.binpb",  # would be version 1 a second time
        "digits/-1/model.binpb",
        "digits/1.0/model.binpb",
        "digits/\u0661/model.binpb",  # a digit, but not of ours
        "digits/9999999999999999999/model.binpb",  # more than an int64 holds
        "digits/1",  # a file
        "scripts/plots/plot.py",  # no model
    ],
)
def test_what_is_no_version_is_ignored(tmp_path: Path, file: str) -> None:
    make(tmp_path, file)
    assert scan(tmp_path) == []


def test_a_model_file_outside_a_version_folder_is_pointed_out(tmp_path: Path) -> None:
    make(tmp_path, "digits/model.binpb")
    (found,) = scan(tmp_path)
    assert (found.name, found.version) == ("digits", 0)
    assert found.problem == "the model file is not in a version folder; expected digits/1/model.binpb"


@pytest.mark.parametrize("given", ["digits", "digits/1"])
def test_a_folder_inside_the_repository_that_is_given_in_its_place_is_pointed_out(tmp_path: Path, given: str) -> None:
    make(tmp_path, "digits/1/model.binpb")
    (found,) = scan(tmp_path / given)
    assert (found.name, found.version) == ("1", 0)
    assert found.problem.endswith(f"expected 1/1/model.binpb; if 1 is a version, the model repository is {tmp_path}")


def test_a_folder_that_cannot_be_a_model_name_is_pointed_out(tmp_path: Path) -> None:
    make(tmp_path, "my model/1/model.binpb", "my model/2/model.binpb")
    (found,) = scan(tmp_path)
    assert (found.name, found.version) == ("my model", 0)
    assert "no model name; expected 1 to 128 of the characters" in found.problem


def test_a_folder_whose_name_is_no_utf_8_can_be_listed(tmp_path: Path) -> None:
    make(tmp_path, os.fsdecode(b"m\xf6del/1/model.binpb"), "iris/1/model.binpb")
    assert [(found.name, found.version) for found in scan(tmp_path)] == [("iris", 1), ("m\ufffddel", 0)]


@pytest.mark.parametrize("link", ["digits", "digits/1", "digits/1/model.binpb"])
def test_a_link_out_of_the_repository_is_a_problem(tmp_path: Path, link: str) -> None:
    repository, outside = tmp_path / "models", tmp_path / "outside"
    make(outside, "digits/1/model.binpb")
    (repository / link).parent.mkdir(parents=True)
    (repository / link).symlink_to(outside / link)
    (found,) = scan(repository)
    assert re.fullmatch(r"digits/1(/model\.binpb)? leads out of the model repository", found.problem)


def test_links_that_lead_in_a_circle_lead_nowhere_and_harm_no_other_model(tmp_path: Path) -> None:
    make(tmp_path, "digits/1/weights", "iris/1/model.binpb")
    (tmp_path / "digits/1/model.binpb").symlink_to("model.txtpb")
    (tmp_path / "digits/1/model.txtpb").symlink_to("model.binpb")
    (tmp_path / "digits/2").symlink_to("2")
    assert [(found.name, found.version, found.problem) for found in scan(tmp_path)] == [
        ("digits", 1, ""),
        ("iris", 1, ""),
    ]


def test_links_inside_the_repository_and_to_it_are_fine(tmp_path: Path) -> None:
    make(tmp_path / "models", "digits/1/model.binpb")
    (tmp_path / "models/digits/2").symlink_to("1")
    (tmp_path / "link").symlink_to("models")
    assert [(found.version, found.problem) for found in scan(tmp_path / "link")] == [(1, ""), (2, "")]


def test_a_folder_that_may_not_be_looked_into_harms_no_other_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "digits/1/model.binpb", "iris/1/model.binpb")
    close(tmp_path / "digits", monkeypatch)
    assert [(found.name, found.version, found.problem) for found in scan(tmp_path)] == [
        ("digits", 0, "the folder cannot be read: Permission denied"),
        ("iris", 1, ""),
    ]


def test_a_link_to_where_nobody_may_look_harms_no_other_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "models", "iris/1/model.binpb")
    make(tmp_path / "outside", "closed/digits/1/model.binpb")
    (tmp_path / "models/digits").symlink_to(tmp_path / "outside/closed/digits")
    close(tmp_path / "outside/closed", monkeypatch)
    assert [(found.name, found.version, found.problem) for found in scan(tmp_path / "models")] == [
        ("digits", 0, "the folder cannot be read: Permission denied"),
        ("iris", 1, ""),
    ]


@pytest.mark.parametrize(
    ("repository", "error", "text"),
    [("missing", FileNotFoundError, "no such folder"), ("file", NotADirectoryError, "a file, expected a folder")],
)
def test_a_repository_that_is_no_folder_is_named(
    tmp_path: Path, repository: str, error: type[OSError], text: str
) -> None:
    make(tmp_path, "file")
    with pytest.raises(error, match=f"model repository '{tmp_path / repository}': {text}"):
        scan(tmp_path / repository)

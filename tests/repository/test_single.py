"""One model in a folder of any name, in place of a repository."""

from pathlib import Path

import pytest

from numbatch.repository.disk import FoundVersion, scan_single
from numbatch.repository.poller import Poller
from numbatch.repository.registry import Registry
from numbatch.repository.single import SingleModel, parse_single_model
from numbatch.wire.errors import InvalidArgumentError
from support.registries import factor, listing
from support.tiny import tiny_model


def write(folder: Path, factor: float = 2) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.binpb").write_bytes(tiny_model(factor=factor).SerializeToString())
    return folder


def served(folder: Path) -> Registry:
    registry = Registry(SingleModel("tiny", folder))
    registry.load(registry.discover())
    return registry


def test_a_model_file_alone_is_version_1(tmp_path: Path) -> None:
    registry = served(write(tmp_path / "models"))
    assert listing(registry) == [("tiny", 1, "READY", True)]
    assert factor(registry) == 2


def test_it_has_the_name_that_it_is_given_whatever_its_message_says(tmp_path: Path) -> None:
    registry = Registry(SingleModel("other", write(tmp_path)))
    registry.load(registry.discover())
    assert listing(registry) == [("other", 1, "READY", True)]


def test_of_folders_of_versions_the_policy_chooses(tmp_path: Path) -> None:
    for version in (9, 10):
        write(tmp_path / "models" / str(version), factor=version)
    registry = served(tmp_path / "models")
    assert listing(registry) == [("tiny", 10, "READY", True)]
    assert factor(registry) == 10


def test_its_settings_lie_in_the_same_folder(tmp_path: Path) -> None:
    for folder in (write(tmp_path / "alone"), write(tmp_path / "versions" / "1").parent):
        (folder / "settings.txtpb").write_text("weights_precision: WEIGHTS_PRECISION_BF16")
        (entry,) = served(folder).snapshot
        assert entry.model is not None
        assert entry.model.summary.weights_precision == "bf16"


def test_a_file_that_changes_is_loaded_again_once_it_rests(tmp_path: Path) -> None:
    registry = Registry(SingleModel("tiny", write(tmp_path / "models")))
    found = registry.discover()
    registry.load(found)
    poller = Poller(registry, found)
    poller.poll()
    loaded = registry.snapshot
    poller.poll()
    assert registry.snapshot is loaded  # nothing changed, nothing was done
    write(tmp_path / "models", factor=100)
    poller.poll()
    poller.poll()
    assert factor(registry) == 100


@pytest.mark.parametrize("version", ["", "1"])
def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path, version: str) -> None:
    secret = write(tmp_path / "elsewhere") / "model.binpb"
    folder = tmp_path / "models" / version
    folder.mkdir(parents=True)
    (folder / "model.binpb").symlink_to(secret)
    assert listing(served(tmp_path / "models")) == [("tiny", 1, "FAILED", False)]


def test_a_folder_that_is_a_link_itself_is_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(write(tmp_path / "elsewhere"))
    assert listing(served(tmp_path / "models")) == [("tiny", 1, "READY", True)]


def test_a_folder_without_a_model_says_what_was_expected(tmp_path: Path) -> None:
    (found,) = scan_single(SingleModel("tiny", tmp_path))
    expected = f"no model in {tmp_path}; expected model.binpb, or folders of versions with it"
    assert found == FoundVersion("tiny", 0, tmp_path, expected)
    write(tmp_path / "digits" / "1")
    (found,) = scan_single(SingleModel("tiny", tmp_path))
    assert found.problem == f"{expected}; if it is a model repository, give it as that"


def test_a_folder_that_is_not_there_or_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model 'tiny=.*nowhere': no such folder"):
        scan_single(SingleModel("tiny", tmp_path / "nowhere"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"model 'tiny=.*file': a file, expected a folder"):
        scan_single(SingleModel("tiny", tmp_path / "file"))


def test_it_is_written_as_a_name_and_a_folder() -> None:
    assert parse_single_model("digits=/mnt/models") == SingleModel("digits", Path("/mnt/models"))
    assert parse_single_model("digits=a=b") == SingleModel("digits", Path("a=b"))
    for wrong in ("digits", "digits=", "=/mnt/models", "my digits=/mnt/models"):
        with pytest.raises(InvalidArgumentError, match="NAME=DIR"):
            parse_single_model(wrong)

"""`numbatch model validate`: a line for each version, and the exit code for all."""

import json
from pathlib import Path

import numpy as np
import pytest

from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import Constant
from support.command import numbatch
from support.server import write_model


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """`good` with one version; `bad` with one that is good, one with a NaN, and one that is cut off."""
    good = Sequential([Input((2,)), Dense(2)], seed=1).to_message("good")
    write_model(tmp_path, good)
    good.name = "bad"
    write_model(tmp_path, good, 1)
    layer = Dense(2, kernel_initializer=Constant(np.nan))
    write_model(tmp_path, Sequential([Input((2,)), layer]).to_message("bad"), 2)
    cut_off = write_model(tmp_path, good, 3) / "model.binpb"
    cut_off.write_bytes(cut_off.read_bytes()[:-3])
    return tmp_path


def test_good_models_are_0(repository: Path) -> None:
    paths = [repository / "good", repository / "bad" / "1", repository / "good" / "1" / "model.binpb"]
    outcome = numbatch("model", "validate", *paths)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [f"ok   {paths[0] / '1'}", f"ok   {paths[1]}", f"ok   {paths[2]}"]


def test_one_bad_version_is_1_and_all_are_listed(repository: Path) -> None:
    outcome = numbatch("model", "validate", repository)
    assert (outcome.code, outcome.err) == (1, "")
    first, second, third, fourth = outcome.out.splitlines()
    assert first == f"ok   {repository / 'bad' / '1'}"
    assert second.startswith(f"bad  {repository / 'bad' / '2'}: model.layers[0].dense.kernel")
    assert third.startswith(f"bad  {repository / 'bad' / '3'}: ")
    assert fourth == f"ok   {repository / 'good' / '1'}"


def test_json_gives_reason_and_field(repository: Path) -> None:
    verdict = json.loads(numbatch("model", "validate", repository / "bad" / "2", "--json").out)
    [model] = verdict["models"]
    assert (verdict["valid"], model["valid"]) == (False, False)
    assert (model["path"], model["reason"]) == (str(repository / "bad" / "2"), "WEIGHTS_NOT_FINITE")
    assert model["field"].startswith("model.layers[0].dense.kernel")
    assert model["message"].startswith(model["field"])


def test_what_a_server_would_not_find_is_bad_too(tmp_path: Path) -> None:
    write_model(tmp_path, Sequential([Input((2,)), Dense(2)], seed=1).to_message("good"))
    (tmp_path / "stray").mkdir()
    (tmp_path / "stray" / "model.binpb").write_bytes(b"")
    outcome = numbatch("model", "validate", tmp_path)
    assert outcome.code == 1
    assert outcome.out.splitlines()[1].startswith(
        f"bad  {tmp_path / 'stray'}: the model file is not in a version folder"
    )


def test_a_path_without_models_is_3(tmp_path: Path) -> None:
    assert numbatch("model", "validate", tmp_path).code == 3
    assert numbatch("model", "validate", tmp_path / "nowhere").err.endswith("nowhere: No such file or directory\n")

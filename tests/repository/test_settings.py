"""`settings.txtpb`: what is written there, and every way to get it wrong."""

import os
from pathlib import Path

import pytest

from numbatch.repository.policy import All, Latest, Specific, VersionPolicy
from numbatch.repository.settings import BatchingSettings, ModelSettings, read_settings
from numbatch.wire.errors import InvalidModelError
from numbatch.wire.reasons import Reason


def read(tmp_path: Path, text: str | bytes) -> ModelSettings:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "settings.txtpb").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_settings(folder, tmp_path)


def test_without_a_file_everything_is_as_the_server_was_told(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "tiny", tmp_path) == ModelSettings()


def test_an_empty_file_says_as_much(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing yet\n") == ModelSettings()


def test_everything_can_be_said(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """
        version_policy { latest { count: 2 } }
        batching {
          max_batch_size: 64
          max_queue_delay_us: 0
          max_queued_rows: 4096
          max_queued_bytes: 1000000
          max_in_flight: 2
        }
        weights_precision: WEIGHTS_PRECISION_BF16
        warm_up { batch_sizes: [1, 32] }
        """,
    )
    assert settings == ModelSettings(Latest(2), BatchingSettings(64, 0, 4096, 1000000, 2), "bf16", (1, 32))


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("latest {}", Latest(1)),
        ("latest { count: 3 }", Latest(3)),
        ("all {}", All()),
        ("specific { versions: [7, 2, 7] }", Specific((2, 7))),
    ],
)
def test_the_policies(tmp_path: Path, text: str, policy: VersionPolicy) -> None:
    assert read(tmp_path, f"version_policy {{ {text} }}").version_policy == policy


def test_a_limit_that_is_not_given_is_the_servers_and_zero_is_zero(tmp_path: Path) -> None:
    assert read(tmp_path, "batching { max_queue_delay_us: 0 }").batching == BatchingSettings(max_queue_delay_us=0)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("batching {\n  max_batch_size: 0\n}", 2, "max_batch_size: got 0, expected 1 to 1048576"),
        ("batching {\n\n  max_batch_size: 1048577 }", 3, "max_batch_size: got 1048577, expected 1 to 1048576"),
        ("batching { max_queue_delay_us: -1 }", 1, "max_queue_delay_us: got -1, expected 0 to 10000000"),
        ("batching { max_queued_rows: 0 }", 1, "max_queued_rows: got 0, expected 1 or more"),
        ("batching { max_queued_bytes: -5 }", 1, "max_queued_bytes: got -5, expected 1 or more"),
        ("batching { max_in_flight: 0 }", 1, "max_in_flight: got 0, expected 1 to 2147483647"),
        ("version_policy { latest { count: -1 } }", 1, "count: got -1, expected 0 to 2147483647"),
        ("version_policy {}", 1, "version_policy: got none, expected latest, all or specific"),
        ("\nversion_policy { specific {} }", 2, "specific: got no versions, expected one or more"),
        ("version_policy { specific { versions: [\n1, 0] } }", 1, "versions: got 0"),
        ("version_policy { all {} latest {} }", 1, "is specified along with"),
        ("warm_up {\n  batch_sizes: 4\n  batch_sizes: 0\n}", 3, "batch_sizes: got 0, expected 1 to 65536"),
        (f"warm_up {{ batch_sizes: {[1] * 33} }}", 1, "batch_sizes: got 33 batches, expected at most 32"),
        ("weights_precision: 7", 1, "weights_precision"),
        ("\n\nbatch_size: 3", 3, 'has no field named "batch_size"'),
        ("batching {\n  max_batch_size: many\n}", 2, "Couldn't parse integer: many"),
        ("batching {", 1, "expected numbatch.v1.ModelSettings as text"),
        ("batching { max_batch_size: 99999999999999999999 }", 1, "out of range"),
        (b"\xff\xfe", 0, "is no text"),
        (b"#" * (2**20 + 1), 0, "is too long"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str | bytes, line: int, problem: str) -> None:
    with pytest.raises(InvalidModelError) as refused:
        read(tmp_path, text)
    place = f"tiny/settings.txtpb:{line}: " if line else "tiny/settings.txtpb "
    assert refused.value.reason is Reason.MODEL_INVALID
    assert refused.value.message.startswith(place)
    assert problem.lower() in refused.value.message.lower()


def test_settings_outside_the_repository_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password")
    (tmp_path / "models/tiny").mkdir(parents=True)
    (tmp_path / "models/tiny/settings.txtpb").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidModelError, match="leads out of the model repository") as refused:
        read_settings(tmp_path / "models/tiny", tmp_path / "models")
    assert "password" not in refused.value.message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.txtpb")
    with pytest.raises(InvalidModelError, match=r"settings\.txtpb is no file"):
        read_settings(tmp_path, tmp_path)

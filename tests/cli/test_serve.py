"""`numbatch serve` as a process: what it says and how it ends."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from numbatch.cli.options import DEFAULT_SERVER
from numbatch.client import Client
from numbatch.models import Dense, Input, Sequential
from numbatch.serving.config import ServerConfig
from numbatch.v1.model_pb2 import Model
from support.command import numbatch
from support.http import get
from support.server import write_model

ANYWHERE = ("--listen", "127.0.0.1:0", "--http-listen", "")


@contextmanager
def serving(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "numbatch.cli", "serve", *ANYWHERE, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A good model and a bad one."""
    write_model(tmp_path, Sequential([Input((2,)), Dense(2)], seed=1).to_message("good"))
    write_model(tmp_path, Model(name="bad"))
    return tmp_path


def test_one_line_says_ready_and_sigterm_ends_it_with_0(repository: Path) -> None:
    with serving("--model-repository", repository) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("numbatch ready on 127.0.0.1:")
        assert line.endswith(" (1 model, 1 failed)\n")
        with Client(line.split()[3]) as client:
            assert client.is_ready("good")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert "model=bad" in err  # the log


def test_one_model_is_served_from_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = write_model(tmp_path, Sequential([Input((2,)), Dense(2)], seed=1).to_message("good"))
    with serving("--model", f"other={folder}", "--json") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
    assert [(model["name"], model["version"], model["state"]) for model in ready["models"]] == [("other", 1, "ready")]


def test_json_says_ready_with_every_version(repository: Path) -> None:
    with serving("--model-repository", repository, "--json", "--log-level", "error") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
    reason = ready["models"][0].pop("reason")
    assert reason.startswith("MODEL_INVALID: model.inputs")
    assert (ready["event"], ready["address"].startswith("127.0.0.1:")) == ("ready", True)
    assert ready["http_address"] == ""
    assert ready["models"] == [
        {"name": "bad", "version": 1, "state": "failed", "default_version": False},
        {"name": "good", "version": 1, "state": "ready", "reason": "", "default_version": True},
    ]


def test_it_tells_where_it_answers_http_and_logs_json(repository: Path) -> None:
    options = ("--http-listen", "127.0.0.1:0", "--log-format", "json")
    with serving("--model-repository", repository, *options) as process:
        assert process.stdout is not None
        address = process.stdout.readline().rstrip().rpartition("; http on ")[2]
        assert get(address, "/readyz").text == "ok\n"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    lines = [json.loads(line) for line in log.splitlines()]
    assert [(line["model"], line["reason"]) for line in lines if "reason" in line] == [("bad", "MODEL_INVALID")]
    assert [line["http_address"] for line in lines if "http_address" in line] == [address]


def test_a_port_in_use_is_4() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = numbatch("serve", "--listen", address, "--http-listen", "")
    assert outcome.code == 4
    assert outcome.err.endswith(
        f"numbatch: error: cannot listen on {address}: the port is in use; stop what uses it, or "
        "choose another port (0: a free one)\n"
    )


def test_an_http_port_in_use_is_4_and_no_server_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = numbatch("serve", "--listen", "127.0.0.1:0", "--http-listen", address)
    assert outcome.code == 4
    assert f"cannot listen on {address}: the port is in use" in outcome.err
    assert outcome.err.endswith('(http_listen; "" for no HTTP)\n')


def test_a_missing_repository_is_3(tmp_path: Path) -> None:
    outcome = numbatch("serve", *ANYWHERE, "--model-repository", tmp_path / "nowhere")
    assert outcome.code == 3
    assert f"model repository '{tmp_path / 'nowhere'}': no such folder; create it" in outcome.err


def test_every_field_of_the_configuration_is_an_option() -> None:
    text = numbatch("serve", "--help").out
    assert all(f"--{field.name.replace('_', '-')} " in text for field in fields(ServerConfig))


def test_commands_look_where_a_server_listens_by_default() -> None:
    assert ServerConfig().listen == DEFAULT_SERVER
    with Client() as client:
        assert DEFAULT_SERVER in repr(client)

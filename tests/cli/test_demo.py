"""`numbatch demo`, as its user runs it."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from numbatch.cli.demo_models import demo_repository, held_out
from numbatch.client import Client
from support.project import ROOT

NUMBATCH = [sys.executable, "-m", "numbatch.cli"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NUMBATCH, *arguments], capture_output=True, text=True, timeout=50, cwd=ROOT)


def test_json_has_what_was_found_and_the_server_is_gone() -> None:
    ended = run("demo", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    report: dict[str, Any] = json.loads(ended.stdout)
    assert (report["model"], report["rows"]) == ("digits", 360)
    assert report["accuracy"] >= 0.96
    assert report["rows_per_second"] == pytest.approx(report["timed_rows"] / report["timed_seconds"], rel=1e-3)
    assert report["server_start_seconds"] > 0
    assert [(layer["name"], layer["shape"]) for layer in report["layers"]] == [
        ("hidden_1", [64]),
        ("hidden_2", [32]),
        ("probabilities", [10]),
    ]
    assert all(layer["min"] < layer["max"] for layer in report["layers"])
    assert "server" not in report


def test_a_kept_server_answers_and_the_next_commands_work_as_printed(tmp_path: Path) -> None:
    ended = run("demo", "--keep")
    assert (ended.returncode, ended.stderr) == (0, "")
    pid = int(ended.stdout.split("kill ")[1].split("`")[0])
    try:
        assert "accuracy  98.06%: 353 of 360 images" in ended.stdout
        assert "hidden_1 [64]" in ended.stdout
        commands = [shlex.split(line) for line in ended.stdout.split("\nNext:\n")[1].split("\n\n")[0].splitlines()]
        assert len(commands) == 4
        # As printed, but for the ten seconds, and for where the report goes.
        shorter = {"10": "0.2", "report.html": str(tmp_path / "report.html")}
        for command in commands:
            program = [shorter.get(word, word) for word in command]
            done = subprocess.run(program, capture_output=True, text=True, timeout=30, cwd=ROOT)
            assert done.returncode == 0, done.stderr
        assert "digits/1" in (tmp_path / "report.html").read_text()
        with Client(commands[0][-1]) as client:
            assert client.is_ready("digits")
    finally:
        os.kill(pid, signal.SIGTERM)
        Path(ended.stdout.rstrip().removesuffix(".").split()[-1]).unlink()


def test_the_held_out_images_are_beside_the_model() -> None:
    data = held_out()
    assert data.path.parent == demo_repository() / "digits"
    assert (data.pixels.shape, data.labels.shape) == ((360, 64), (360,))

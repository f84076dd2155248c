"""What the command says of itself, and that saying it costs next to nothing."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from numbatch.cli.app import COMMANDS, MODEL_COMMANDS
from numbatch.cli.exits import MEANINGS, ExitCode
from numbatch.cli.lazy import LazyCommand
from numbatch.cli.loadtest_group import LOADTEST_COMMANDS
from support.command import numbatch

ALL = {
    **COMMANDS,
    **{f"model {name}": lazy for name, lazy in MODEL_COMMANDS.items()},
    **{f"loadtest {name}": lazy for name, lazy in LOADTEST_COMMANDS.items()},
}


@pytest.mark.parametrize("arguments", [("--help",), ()])
def test_help_lists_every_command_and_every_exit_code(arguments: tuple[str, ...]) -> None:
    outcome = numbatch(*arguments)
    assert outcome.code == 0
    for name, lazy in COMMANDS.items():
        assert f"  {name}" in outcome.out
        assert lazy.summary in outcome.out
    assert set(MEANINGS) == set(ExitCode)
    for code in ExitCode:
        assert f"\n  {code:d} " in outcome.out


def test_model_without_a_command_lists_its_commands() -> None:
    outcome = numbatch("model")
    assert outcome.code == 0
    assert all(f"\n  {name} " in outcome.out for name in MODEL_COMMANDS)


@pytest.mark.parametrize("name", [name for name in ALL if name != "model"])
def test_every_command_explains_itself_with_examples(name: str) -> None:
    outcome = numbatch(*name.split(), "--help")
    assert outcome.code == 0
    assert f"Usage: numbatch {name} " in outcome.out
    assert f"Examples:\n    numbatch {name.removesuffix(' run')}" in outcome.out


@pytest.mark.parametrize(("name", "lazy"), ALL.items())
def test_the_summary_in_the_list_is_how_the_help_begins(name: str, lazy: LazyCommand) -> None:
    command = lazy.load()
    assert command.name == name.split()[-1]
    assert (command.help or "").startswith(lazy.summary.rstrip("."))


def test_version_is_that_of_the_installed_package() -> None:
    assert numbatch("--version").out == f"numbatch {version('numbatch')}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["serve", "--help"], ["infer", "m", "x.csv"], ["health"], ["top", "--count", "1"]]
)
def test_what_needs_no_kernels_imports_none(arguments: list[str]) -> None:
    code = f"""
import sys, json, os
os.environ["NUMBATCH_SERVER"] = os.environ["NUMBATCH_HTTP"] = "127.0.0.1:1"
from numbatch.cli.main import main
try:
    main({arguments})
finally:
    print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    modules = json.loads(ended.stdout.splitlines()[-1])
    assert "click" in modules
    assert {"numba", "llvmlite", "safetensors"}.isdisjoint(modules)


def test_it_runs_as_a_module_too() -> None:
    ended = subprocess.run([sys.executable, "-m", "numbatch.cli", "--help"], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: numbatch ")

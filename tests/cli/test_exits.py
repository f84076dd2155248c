"""Which exit code a command ends in, and the one line that it says."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from numbatch.cli.exits import CommandError, ExitCode, describe, exit_code_of
from numbatch.wire import errors
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from support.command import NO_SERVER, numbatch

CODES: dict[type[NumbatchError], ExitCode] = {
    errors.InvalidArgumentError: ExitCode.BAD_INPUT,
    errors.MessageTooLargeError: ExitCode.BAD_INPUT,
    errors.NotFoundError: ExitCode.BAD_INPUT,
    errors.InvalidModelError: ExitCode.BAD_INPUT,
    errors.CorruptModelError: ExitCode.BAD_INPUT,
    errors.UnsupportedError: ExitCode.BAD_INPUT,
    errors.UnavailableError: ExitCode.UNAVAILABLE,
    errors.OverloadedError: ExitCode.UNAVAILABLE,
    errors.DeadlineExceededError: ExitCode.UNAVAILABLE,
    errors.AccessDeniedError: ExitCode.UNAVAILABLE,
    errors.UnauthenticatedError: ExitCode.UNAVAILABLE,
    errors.RequestCancelledError: ExitCode.INTERRUPTED,
    errors.InternalError: ExitCode.BUG,
    NumbatchError: ExitCode.UNAVAILABLE,
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_exit_code(reason: Reason) -> None:
    failure = error(reason)
    assert exit_code_of(failure) is CODES[type(failure)]


@pytest.mark.parametrize(
    ("failure", "code", "text"),
    [
        (CommandError("x.csv: no rows"), ExitCode.BAD_INPUT, "x.csv: no rows"),
        (CommandError("no such thing", ExitCode.USAGE), ExitCode.USAGE, "no such thing"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.npy"), ExitCode.BAD_INPUT, "x.npy: No such file"),
        (OSError(errno.EADDRINUSE, "cannot listen"), ExitCode.UNAVAILABLE, "cannot listen"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ExitCode.READER_GONE, "Broken pipe"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
        (ModuleNotFoundError("no", name="elsewhere"), ExitCode.BUG, "no"),
        (ValueError("over\n  two lines"), ExitCode.BUG, "over two lines"),
    ],
)
def test_other_failures(failure: BaseException, code: ExitCode, text: str) -> None:
    assert (exit_code_of(failure), describe(failure)) == (code, text)


def test_notes_are_part_of_the_line() -> None:
    failure = CommandError("it broke")
    failure.add_note("after 3 rows")
    assert describe(failure) == "it broke; after 3 rows"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["bogus"], "No such command 'bogus'; see 'numbatch --help'"),
        (["model", "bogus"], "No such command 'bogus'; see 'numbatch model --help'"),
        (["infer"], "Missing argument 'NAME[/VERSION]'; see 'numbatch infer --help'"),
        (["health", "--timeout", "0"], "Invalid value for '--timeout': 0.0 is not in the range x>0"),
        (["health", "digits/two"], "got 'digits/two', expected NAME or NAME/VERSION, such as digits or digits/2"),
        (["health", "--server", "nowhere"], "got 'nowhere', expected HOST:PORT"),
        (["serve", "--listen", "nowhere"], "listen: no address to listen on: got 'nowhere'"),
        (["serve", "--compute-threads", "0"], "compute_threads: got 0, expected 1 to 256"),
        (["serve", "--stream-window", "0"], "stream_window: got 0, expected 1 to 1024"),
        (["serve", "--tls-key", "tls.key"], "tls_certificate: TLS needs a certificate and its key: got none"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(arguments: list[str], problem: str) -> None:
    outcome = numbatch(*arguments)
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err.startswith("numbatch: error: ")
    assert outcome.err.count("\n") == 1
    assert problem in outcome.err


def test_bad_input_is_3(tmp_path: Path, server: str) -> None:
    outcome = numbatch("infer", "double", tmp_path / "missing.npy", "--server", server)
    path = tmp_path / "missing.npy"
    assert (outcome.code, outcome.err) == (3, f"numbatch: error: {path}: No such file or directory\n")


def test_an_unknown_model_is_3(tmp_path: Path, server: str) -> None:
    outcome = numbatch("infer", "nobody", tmp_path / "x.csv", "--server", server)
    assert outcome.code == 3
    assert "no such model on this server: got 'nobody', expected double, sum, tower" in outcome.err


def test_no_server_is_4() -> None:
    outcome = numbatch("infer", "double", "x.csv", "--server", NO_SERVER)
    assert outcome.code == 4
    assert f"no connection to {NO_SERVER}" in outcome.err


def test_a_bug_is_70_with_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbatch.cli.health.connect", lambda *_: 1 / 0)
    outcome = numbatch("health")
    assert outcome.code == 70
    assert "ZeroDivisionError: division by zero" in outcome.err
    assert outcome.err.endswith("numbatch: error: this is a bug of numbatch; please report it with the lines above\n")


def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("numbatch.cli.health.connect", interrupted)
    outcome = numbatch("health")
    assert (outcome.code, outcome.err.strip()) == (130, "numbatch: error: interrupted")


def test_a_reader_that_leaves_is_141_and_no_error(tmp_path: Path, server: str) -> None:
    (tmp_path / "x.csv").write_text("1,2\n" * 20_000)  # more than a pipe holds
    command = [sys.executable, "-m", "numbatch.cli", "infer", "double", str(tmp_path / "x.csv"), "--server", server]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"twice[0],twice[1]\n"
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("click", ["--help"], "cli"),
        ("rich", ["model", "inspect", "models"], "cli"),
        ("numba", ["serve", "--listen", "127.0.0.1:0"], "server"),
        ("grpc_health", ["serve", "--listen", "127.0.0.1:0"], "server"),
        ("aiohttp", ["serve", "--listen", "127.0.0.1:0"], "server"),
        ("prometheus_client", ["top"], "cli"),
        ("numba", ["model", "validate", "models"], "server"),
    ],
)
def test_a_thin_install_says_what_to_install(missing: str, arguments: list[str], extra: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from numbatch.cli.main import main; main({arguments})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    hint = f"this command needs {missing}, which is not installed: pip install 'numbatch[{extra}]'"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"numbatch: error: {hint}\n")

"""How a command ends: the exit codes, and which error ends in which. The one place that decides."""

import errno
from enum import IntEnum

from numbatch.wire.errors import (
    InternalError,
    ModelError,
    NumbatchError,
    RequestCancelledError,
    RequestError,
    ServiceError,
)


class ExitCode(IntEnum):
    """The exit codes of all commands; `MEANINGS` says what each one says."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    BAD_INPUT = 3
    UNAVAILABLE = 4
    ASSERTION = 5
    INCONCLUSIVE = 6
    BUG = 70
    INTERRUPTED = 130
    READER_GONE = 141


# As `numbatch --help` prints it.
MEANINGS = {
    ExitCode.OK: "Done.",
    ExitCode.NEGATIVE: "Done, and the answer is no: not ready, an invalid model, one that does not compute what its "
    "original does, a demo below its accuracy, load tests of which the later is worse.",
    ExitCode.USAGE: "The command line is wrong, or needs an extra that is not installed.",
    ExitCode.BAD_INPUT: "The input data, a model or a file is wrong, or the server has no such model.",
    ExitCode.UNAVAILABLE: "The server is unreachable, not ready, overloaded or too slow, or an address is taken.",
    ExitCode.ASSERTION: "A load test ran: a condition does not hold, or answers were wrong.",
    ExitCode.INCONCLUSIVE: "A load test ran, and says little of the server: its generator was the bottleneck, or more "
    "was asked than is answered.",
    ExitCode.BUG: "A bug of numbatch: please report it.",
    ExitCode.INTERRUPTED: "Interrupted (Ctrl-C).",
    ExitCode.READER_GONE: "Nobody reads the output any more, as in `numbatch infer ... | head`.",
}


class CommandError(Exception):
    """A command cannot do what was asked for. Its text is one line that says what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ReaderGone(CommandError):
    """Standard output is a pipe whose other end is closed."""

    def __init__(self) -> None:
        super().__init__("nobody reads the output", ExitCode.READER_GONE)


# The first class that fits counts.
_EXIT_CODES: tuple[tuple[type[NumbatchError], ExitCode], ...] = (
    (RequestCancelledError, ExitCode.INTERRUPTED),
    (RequestError, ExitCode.BAD_INPUT),
    (ModelError, ExitCode.BAD_INPUT),
    (ServiceError, ExitCode.UNAVAILABLE),
    (InternalError, ExitCode.BUG),
    (NumbatchError, ExitCode.UNAVAILABLE),  # without a known reason: from a proxy, or a newer server
)

_ADDRESS_ERRORS = {errno.EADDRINUSE, errno.EADDRNOTAVAIL}


def exit_code_of(failure: BaseException) -> ExitCode:
    """Return the exit code of a command that ended in this exception."""
    if isinstance(failure, CommandError):
        return failure.exit_code
    if isinstance(failure, NumbatchError):
        return next(code for kind, code in _EXIT_CODES if isinstance(failure, kind))
    if isinstance(failure, ModuleNotFoundError) and what_installs(failure):
        return ExitCode.USAGE
    if isinstance(failure, BrokenPipeError):
        return ExitCode.READER_GONE
    if isinstance(failure, OSError):
        return ExitCode.UNAVAILABLE if failure.errno in _ADDRESS_ERRORS else ExitCode.BAD_INPUT
    if isinstance(failure, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.BUG


def describe(failure: BaseException) -> str:
    """Return an exception as one line for people."""
    if isinstance(failure, ModuleNotFoundError) and (package := what_installs(failure)):
        module = (failure.name or "").partition(".")[0]
        return f"this command needs {module}, which is not installed: pip install {package}"
    if isinstance(failure, KeyboardInterrupt):
        return "interrupted"
    text = str(failure) or type(failure).__name__
    if isinstance(failure, OSError) and failure.strerror:
        text = failure.strerror if failure.filename is None else f"{failure.filename}: {failure.strerror}"
    return " ".join("; ".join([text, *getattr(failure, "__notes__", [])]).split())


def what_installs(missing: ModuleNotFoundError) -> str:
    """Return what to give to `pip install` for a missing module, or "" if it is none that a command needs."""
    module = (missing.name or "").partition(".")[0]
    extra = next((extra for extra, modules in _MODULES_OF_EXTRAS.items() if module in modules), "")
    return f"'numbatch[{extra}]'" if extra else _FRAMEWORKS.get(module, "")


_MODULES_OF_EXTRAS = {
    "cli": {"click", "prometheus_client", "rich"},
    "server": {"aiohttp", "grpc_health", "grpc_reflection", "llvmlite", "numba", "safetensors"},
    "convert": {"h5py", "onnx"},
}

# Large, and of a version that its user chooses: no extra of ours installs them.
_FRAMEWORKS = {
    "keras": "keras",
    "onnxruntime": "onnxruntime",
    "sklearn": "scikit-learn",
    "skops": "skops",
    "tensorflow": "tensorflow",
    "torch": "torch",
}

"""The entry point of the `numbatch` command: runs a command line and turns whatever happens into an exit code."""

import io
import os
import sys
import traceback
from collections.abc import Sequence

from numbatch.cli.exits import ExitCode, describe, exit_code_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name. Default: those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without block characters shows "?"
    try:
        # Only here: a thin install has no click.
        from numbatch.cli.app import run

        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as failure:
        code = _report(failure)
    sys.exit(code)


def _report(failure: BaseException) -> ExitCode:
    code = exit_code_of(failure)
    if code is ExitCode.READER_GONE:
        # Whoever read standard output has left, as `head` does: what is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif code is ExitCode.BUG:
        traceback.print_exception(failure)
        _say("this is a bug of numbatch; please report it with the lines above")
    else:
        _say(describe(failure))
    return code


def _say(problem: str) -> None:
    sys.stderr.write(f"numbatch: error: {problem}\n")

"""`numbatch warmup`."""

import json
import os
import platform
import subprocess
import sys
from typing import Any

import click

from numbatch.cli.exits import CommandError
from numbatch.cli.options import json_option
from numbatch.kernels.levels import NAMES, VARIABLE, compiles_for

_ALL = "all"


@click.command()
@click.option(
    "--cpu-level",
    "levels",
    type=click.Choice([_ALL, *NAMES]),
    multiple=True,
    help="Compile for all processors of this level, whether or not this one is of it; may be repeated. all: for each "
    "level there is; where processors are not x86-64, for this very one.  [default: for what a server here would use]",
)
@json_option
def warmup(levels: tuple[str, ...], json_wanted: bool) -> None:
    """Compile the kernels and keep them, for a container image.

    A server compiles its kernels when it starts for the first time, which takes some seconds, and keeps the machine
    code in NUMBATCH_CACHE_DIR. Run this in the build of an image, with the NUMBATCH_CACHE_DIR of the service, and its
    containers start without. The machine code is for processors of the kind that it was compiled on; with --cpu-level
    it is for all that have that level, and a server finds it if NUMBATCH_CPU_LEVEL is auto. The folder need not be
    writable then.

    The exit code is 3 if the folder cannot be written: the image would silently go without. With --json there is a line
    for each level.

    \b
    Examples:
      numbatch warmup
      NUMBATCH_CACHE_DIR=/var/cache/numbatch numbatch warmup --cpu-level all
      numbatch warmup --cpu-level x86-64-v4 --cpu-level x86-64-v3 --json
    """  # noqa: D301
    if _ALL in levels:
        levels = NAMES if platform.machine() in ("x86_64", "AMD64") else ()
    if not levels:
        _tell(_here(), json_wanted)
    for level in levels:
        _tell({"cpu_level": level, **_elsewhere(level)}, json_wanted)


def _here() -> dict[str, Any]:
    """Compile in this process, and return what there is to tell."""
    # Only now: it takes a second to import, and --help does not need it.
    from numbatch.engine.warmup import make_code

    done = make_code()
    if done.problem:
        raise CommandError(
            f"the kernels for {done.instruction_set} are compiled, but cannot be kept in {done.cache_directory}: "
            f"{done.problem}; set NUMBATCH_CACHE_DIR to a folder that can be written"
        )
    return {
        "instruction_set": done.instruction_set,
        "cache_directory": str(done.cache_directory),
        "from_cache": done.from_cache,
        "seconds": round(done.seconds, 6),
    }


def _elsewhere(level: str) -> dict[str, Any]:
    """Compile for a level in a process of its own: Numba compiles for one processor in each."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    program = [sys.executable, "-m", "numbatch.cli", "warmup", "--json"]
    ran = subprocess.run(
        program, env={**environment, **compiles_for(level)}, stdout=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode:
        raise CommandError(f"{level}: the kernels could not be compiled and kept; why is told above")
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def _tell(done: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        click.echo(json.dumps(done))
    else:
        what = done["instruction_set"] + (f" ({done['cpu_level']})" if "cpu_level" in done else "")
        how = "taken from the cache" if done["from_cache"] else "compiled"
        click.echo(f"kernels for {what} {how} in {done['seconds']:.2f} s; kept in {done['cache_directory']}")

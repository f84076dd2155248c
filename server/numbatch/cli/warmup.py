"""`numbatch warmup`."""

import json

import click

from numbatch.cli.exits import CommandError
from numbatch.cli.options import json_option


@click.command()
@json_option
def warmup(json_wanted: bool) -> None:
    """Compile the kernels and keep them, for a container image.

    A server compiles its kernels when it starts for the first time, which takes some seconds, and keeps the machine
    code in NUMBATCH_CACHE_DIR. Run this in the build of an image, as the user and with the NUMBATCH_CACHE_DIR of the
    service, and its containers start without. The machine code is for processors of the kind that it was compiled on;
    on others the service compiles again, and keeps that too where the folder can be written.

    The exit code is 3 if the folder cannot be written: the image would silently go without.

    \b
    Examples:
      numbatch warmup
      NUMBATCH_CACHE_DIR=/var/cache/numbatch numbatch warmup --json
    """  # noqa: D301
    # Only now: it takes a second to import, and --help does not need it.
    from numbatch.engine.warmup import warm_up

    done = warm_up()
    if done.problem:
        raise CommandError(
            f"the kernels for {done.instruction_set} are compiled, but cannot be kept in {done.cache_directory}: "
            f"{done.problem}; set NUMBATCH_CACHE_DIR to a folder that can be written"
        )
    if json_wanted:
        report = {
            "instruction_set": done.instruction_set,
            "cache_directory": str(done.cache_directory),
            "from_cache": done.from_cache,
            "seconds": round(done.seconds, 6),
        }
        click.echo(json.dumps(report))
    else:
        how = "taken from the cache" if done.from_cache else "compiled"
        click.echo(f"kernels for {done.instruction_set} {how} in {done.seconds:.2f} s; kept in {done.cache_directory}")

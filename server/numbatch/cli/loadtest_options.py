"""The options of `numbatch loadtest`, in the groups in which its help shows them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from numbatch.cli.options import SECONDS
from numbatch.loadtest.objective import Condition
from numbatch.loadtest.steps import parse_counts, parse_steps

_CommandT = TypeVar("_CommandT", bound=Callable[..., Any])
_Option = Callable[[_CommandT], _CommandT]

_FILE = click.Path(path_type=Path, dir_okay=False)
_COUNT = click.IntRange(min=1)

GROUPS = {
    "How requests are sent (one after the other, unless said otherwise)": (
        *("rates", "concurrency", "stream", "offline", "schedule", "window", "arrivals", "seed", "speed"),
        *("max_in_flight",),
    ),
    "How long": ("duration", "count", "warmup", "repeats", "timeout"),
    "What is sent": ("data", "rows", "messages", "vocabulary"),
    "What must come back": ("verify", "expect", "tolerance", "mismatch_folder", "assertions"),
    "The highest rate": ("find_max", "objective", "start_rate", "precision"),
    "What is written": ("json_file", "html_file", "quiet"),
    "The generator": ("processes", "connections", "protocol"),
    "The server": (
        *("server", "metrics", "metrics_each_second", "tls", "root_certificates", "certificate", "private_key"),
        "target_name_override",
        *("token_file", "allow_plaintext_token"),
    ),
}


def load_options(command: _CommandT) -> _CommandT:
    """Give a command all of them but those of the server."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def _parsed(parse: Callable[[str], Any]) -> Callable[..., Any]:
    def callback(_: click.Context, __: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                for one in value:
                    parse(one)
                return value
            return () if value is None else parse(value)
        except ValueError as wrong:
            raise click.BadParameter(str(wrong)) from None

    return callback


_OPTIONS = (
    # How requests are sent.
    click.option(
        "--rate",
        "rates",
        metavar="R[,...]",
        callback=_parsed(parse_steps),
        help="So many requests a second, whatever comes back; 500:5000:500 and 100:6400:x2 are several steps.",
    ),
    click.option(
        "--concurrency",
        metavar="N[,...]",
        callback=_parsed(parse_counts),
        help="So many callers, each of which waits for its answer; or so many streams. 1:64:x2 is several steps.",
    ),
    click.option("--stream", is_flag=True, help="On streams, each of which is kept full."),
    click.option("--offline", is_flag=True, help="All rows of --data once, as fast as possible, on streams."),
    click.option(
        "--schedule", type=_FILE, metavar="FILE", help="When FILE says: a time in seconds on each line, or a .npy."
    ),
    click.option(
        "--window", metavar="N", type=_COUNT, default=8, show_default=True, help="Messages in flight on each stream."
    ),
    click.option(
        "--arrivals",
        type=click.Choice(["poisson", "uniform"]),
        default="poisson",
        show_default=True,
        help="With --rate: at random times, as from many callers, or evenly spaced.",
    ),
    click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Of random times and rows.",
    ),
    click.option(
        "--speed",
        metavar="FACTOR",
        type=SECONDS,
        default=1.0,
        show_default=True,
        help="How much faster --schedule is than it was.",
    ),
    click.option(
        "--max-in-flight",
        metavar="N",
        type=_COUNT,
        default=10_000,
        show_default=True,
        help="Give a rate up when so many requests wait for answers.",
    ),
    # How long.
    click.option(
        "--duration", metavar="SECONDS", type=SECONDS, default=None, help="Seconds of each step.  [default: 10]"
    ),
    click.option("--count", type=_COUNT, metavar="N", help="End each step after N requests."),
    click.option(
        "--warmup",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        default=1.0,
        show_default=True,
        help="Seconds before each step that do not count.",
    ),
    click.option("--repeats", metavar="N", type=_COUNT, default=1, show_default=True, help="Run each step so often."),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=SECONDS,
        default=10.0,
        show_default=True,
        help="Seconds for each answer, from when its request was to start.",
    ),
    # What is sent.
    click.option(
        "--data",
        type=_FILE,
        metavar="FILE",
        help="Rows: .npy or .csv, .npz with an array for each input, .parquet.  [default: random ones]",
    ),
    click.option("--rows", metavar="N", type=_COUNT, default=1, show_default=True, help="Rows in each request."),
    click.option(
        "--messages",
        metavar="N",
        type=_COUNT,
        default=256,
        show_default=True,
        help="Different requests, if they are random.",
    ),
    click.option(
        "--vocabulary",
        metavar="N",
        type=_COUNT,
        default=1,
        show_default=True,
        help="Random row numbers for lookup tables are below it.",
    ),
    # What must come back.
    click.option(
        "--verify/--no-verify",
        default=True,
        show_default=True,
        help="Compare every answer, bit by bit, with that to the same request when asked alone.",
    ),
    click.option(
        "--expect", type=_FILE, metavar="FILE", help="Compare with the outputs in FILE, a .npz, for the rows of --data."
    ),
    click.option(
        "--tolerance",
        metavar="SHARE",
        type=click.FloatRange(min=0, max=1),
        default=0.0,
        show_default=True,
        help="Let numbers differ by so much, as a share of the largest in the answer; for servers that are not exact.",
    ),
    click.option(
        "--mismatch-folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        metavar="FOLDER",
        help="Where wrong answers are saved, with their inputs.  [default: here]",
    ),
    click.option(
        "--assert",
        "assertions",
        multiple=True,
        metavar="CONDITION",
        callback=_parsed(Condition.parse),
        help="Must hold in each step: p99<10ms, errors==0, errors<0.1%, rows_per_s>50000, ... May be repeated.",
    ),
    # The highest rate.
    click.option("--find-max", is_flag=True, help="Search for the highest rate at which --slo holds."),
    click.option(
        "--slo",
        "objective",
        multiple=True,
        metavar="CONDITION",
        callback=_parsed(Condition.parse),
        help="The objective, as for --assert; errors<0.1% is part of it. May be repeated.",
    ),
    click.option(
        "--start-rate", metavar="R", type=SECONDS, default=100.0, show_default=True, help="The first rate to try."
    ),
    click.option(
        "--precision",
        metavar="SHARE",
        type=click.FloatRange(min=0.001),
        default=0.05,
        show_default=True,
        help="Stop when a rate fails that is so little above one that holds, as a share.",
    ),
    # What is written.
    click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write all that was found, for programs."),
    click.option("--html", "html_file", type=_FILE, metavar="FILE", help="Write a page with pictures."),
    click.option("--quiet", is_flag=True, help="Say nothing before the end."),
    # The generator.
    click.option(
        "--processes", type=_COUNT, metavar="N", help="Generator processes.  [default: one for two processors, up to 4]"
    ),
    click.option(
        "--connections", metavar="N", type=_COUNT, default=1, show_default=True, help="Connections of each process."
    ),
    click.option(
        "--protocol",
        metavar="NAME",
        default="native",
        show_default=True,
        help="What the server speaks: native, oip (Open Inference Protocol: Triton, KServe, MLServer), or MODULE:NAME.",
    ),
    # The server.
    click.option(
        "--metrics",
        metavar="HOST:PORT",
        help='Where the server answers HTTP, for its part of the times; "": nowhere.  [default: port 8002 of its host]',
    ),
    click.option(
        "--metrics-each-second",
        is_flag=True,
        help="Read it in each second of a step, too, for the size of batches; that disturbs the server for some ms.",
    ),
)

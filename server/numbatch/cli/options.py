"""The options, arguments and names that several commands share."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import click

from numbatch.cli.security_options import security_options
from numbatch.v1.repository_pb2 import ModelState


class ModelReference(NamedTuple):
    """A model on a server; version 0 is the newest that is ready."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}/{self.version}" if self.version else self.name


def model_reference(text: str) -> ModelReference:
    """Return the model that NAME or NAME/VERSION means."""
    name, slash, version = text.partition("/")
    if not name or (slash and not (version.isdecimal() and int(version) > 0)):
        raise click.BadParameter(f"got {text!r}, expected NAME or NAME/VERSION, such as digits or digits/2")
    return ModelReference(name, int(version or 0))


def axes(text: str) -> tuple[int, ...]:
    """Return the axes that 10 or 28x28 means."""
    parts = text.split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"got {text!r}, expected the length of each axis, such as 10 or 28x28")
    return tuple(map(int, parts))


def state_name(state: int) -> str:
    """Return the state of a model as a word: "ready"."""
    return ModelState.Name(cast("ModelState", state)).removeprefix("MODEL_STATE_").lower()


SECONDS = click.FloatRange(min=0, min_open=True)

# Where `numbatch serve` listens by default.
DEFAULT_SERVER = "127.0.0.1:8001"
SERVER_VARIABLE = "NUMBATCH_SERVER"

_CommandT = TypeVar("_CommandT", bound=Callable[..., Any])


def server_option(command: _CommandT) -> _CommandT:
    """Give a command the option `server`, and those of TLS and tokens, which `numbatch.cli.connection` reads."""
    return _server(security_options(command))


_server = click.option(
    "--server",
    metavar="HOST:PORT[,...]",
    envvar=SERVER_VARIABLE,
    show_envvar=True,
    default=DEFAULT_SERVER,
    show_default=True,
    help="The server to ask, or several that take turns, or dns:///NAME:PORT for all that a name stands for.",
)


def _names(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    return [name for value in values for name in value.split(",") if name]


def layers_option(help_text: str) -> Callable[[_CommandT], _CommandT]:
    """Return the option that names layers, as a list."""
    return click.option("--layers", "--layer", multiple=True, callback=_names, metavar="NAME[,NAME...]", help=help_text)


json_option = click.option("--json", "json_wanted", is_flag=True, help="Print JSON, for programs.")

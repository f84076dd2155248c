"""The options of a command that say whom it trusts and who it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_CommandT = TypeVar("_CommandT", bound=Callable[..., Any])

# Where the values are kept, so that a command need not hand them on.
_META = "numbatch.cli.security_options"


def security_options(command: _CommandT) -> _CommandT:
    """Give a command the options about TLS and tokens; they are not among its arguments."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def given_security(ctx: click.Context) -> dict[str, Any]:
    """Return what the options of the running command are, by their names; those that are not given are left out."""
    given: dict[str, Any] = ctx.meta.get(_META, {})
    return given


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None:
        ctx.meta.setdefault(_META, {})[parameter.name] = value


def _option(*names: str, **known: Any) -> Callable[[_CommandT], _CommandT]:
    return click.option(*names, expose_value=False, callback=_keep, default=None, **known)


def _file(name: str, help_text: str, variable: str = "") -> Callable[[_CommandT], _CommandT]:
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return _option(name, type=kind, envvar=variable or None, show_envvar=bool(variable), help=help_text)


_OPTIONS = (
    _option(
        "--tls/--no-tls",
        envvar="NUMBATCH_TLS",
        show_envvar=True,
        help="Speak TLS. The options with certificates imply it.",
    ),
    _file(
        "--root-certificates",
        "Trust the authorities in this PEM file, instead of the web's.",
        "NUMBATCH_ROOT_CERTIFICATES",
    ),
    _file("--certificate", "Show this certificate to the server.", "NUMBATCH_CERTIFICATE"),
    _file("--private-key", "The key of that certificate.", "NUMBATCH_PRIVATE_KEY"),
    _option(
        "--target-name-override",
        metavar="NAME",
        help="The name in the server's certificate, where it is not the host's. Several servers need it.",
    ),
    _file("--token-file", "Send the token in this file with every call.  [default: the one in NUMBATCH_TOKEN]"),
    _option("--allow-plaintext-token", is_flag=True, help="Send it without TLS to another machine, too."),
)

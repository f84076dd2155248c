"""The options of `numbatch serve`, made from the fields of ServerConfig, which are described there once."""

from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click

from numbatch.serving.config import ServerConfig
from numbatch.serving.config.options import Options, option_of

Callback = Callable[..., None]

_METAVARS = {int: "N", float: "NUMBER", str: "TEXT"}


def server_options(command: Callback) -> Callback:
    """Give a command one option for each field of ServerConfig, in the order of their groups."""
    types = get_type_hints(ServerConfig)
    for described in reversed(fields(ServerConfig)):
        command = _click_option(described, types[described.name])(command)
    return command


def flag_of(name: str) -> str:
    """Return the flag of a field."""
    return "--" + name.replace("_", "-")


class ServeCommand(click.Command):
    """A command whose help lists the options of the server group by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections: one for each group, then what is not of the configuration."""
        titles = {described.name: title for title, group in _groups() for described in fields(group)}
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title, _ in _groups()}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(titles.get(parameter.name or "", "Other options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _groups() -> list[tuple[str, type[Options]]]:
    groups = [base for base in reversed(ServerConfig.__mro__) if issubclass(base, Options)]
    return [((group.__doc__ or "").rstrip("."), group) for group in groups[1:-1]]


def _click_option(described: Field[Any], hint: Any) -> Callable[[Callback], Callback]:
    known = option_of(described)
    kind = next((part for part in get_args(hint) if part is not type(None)), hint)
    settings: dict[str, Any] = {"default": described.default, "help": known.help}
    if known.choices:
        settings["type"] = click.Choice(list(known.choices))
    else:
        settings["type"] = click.Path(path_type=Path) if kind is Path else kind
        settings["metavar"] = known.metavar or _METAVARS[kind]
    shown = described.default is not None and described.default != ""
    return click.option(flag_of(described.name), show_default=shown, **settings)

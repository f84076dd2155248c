"""A group of commands whose files are imported only when they run."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import click


@dataclass(frozen=True)
class LazyCommand:
    """Where a command is, and what the list of commands says of it.

    Attributes
    ----------
    module : str
        The module that defines it.
    attribute : str
        The command's name in there.
    summary : str
        One line, shown without importing the module.
    """

    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        """Import the command."""
        return cast("click.Command", getattr(import_module(self.module), self.attribute))


class LazyGroup(click.Group):
    """A group that imports a command when it is called for, and lists the others from their summaries."""

    def __init__(self, *args: Any, lazy_commands: Mapping[str, LazyCommand], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which they were given."""
        return list(self.lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        lazy = self.lazy_commands.get(cmd_name)
        return lazy.load() if lazy else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; without a command, show the help."""
        return super().parse_args(ctx, args or ["--help"])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self.lazy_commands.items()])

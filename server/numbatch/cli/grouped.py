"""A command with so many options that its help shows them in groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

# Where the arguments are kept as they were given.
_META = "numbatch.cli.grouped"


class GroupedCommand(click.Command):
    """A command whose help lists options under headings.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        The names of parameters by heading; what is in none comes last, under "Options".
    """

    def __init__(self, *args: Any, groups: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = groups

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line, and keep it."""
        ctx.meta[_META] = list(args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        for heading, names in self.groups.items():
            with formatter.section(heading):
                formatter.write_dl([records.pop(name) for name in names])
        with formatter.section("Options"):
            formatter.write_dl(list(records.values()))


def given_arguments(ctx: click.Context) -> list[str]:
    """Return the arguments of a grouped command, as they were given."""
    arguments: list[str] = ctx.meta[_META]
    return arguments

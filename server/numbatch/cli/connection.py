"""The client of a command, made from its options."""

import click

from numbatch.client import Client, InvalidArgumentError


def connect(server: str, timeout: float) -> Client:
    """Return a client of a server.

    Parameters
    ----------
    server : str
        HOST:PORT.
    timeout : float
        Seconds for each answer.

    Raises
    ------
    click.UsageError
        If the address is none.
    """
    try:
        return Client(server, timeout=timeout)
    except InvalidArgumentError as wrong:
        raise click.UsageError(wrong.message, click.get_current_context()) from wrong

"""The client of a command, made from its options."""

from typing import Any

import click

from numbatch.cli.security_options import given_security
from numbatch.client import Client, InvalidArgumentError, Tls


def connect(server: str, timeout: float) -> Client:
    """Return a client of a server, with TLS and a token as the options of the running command say.

    Parameters
    ----------
    server : str
        HOST:PORT, or several.
    timeout : float
        Seconds for each answer.

    Raises
    ------
    click.UsageError
        If the address is none, or TLS and token do not fit it.
    """
    try:
        return Client(server, timeout=timeout, **security_arguments())
    except InvalidArgumentError as wrong:
        raise click.UsageError(wrong.message, click.get_current_context()) from wrong


def security_arguments() -> dict[str, Any]:
    """Return what the options of the running command say of TLS and tokens, as arguments of a client."""
    given = given_security(click.get_current_context())
    return {
        "tls": _tls(given),
        "token": _token(given),
        "allow_plaintext_token": bool(given.get("allow_plaintext_token")),
    }


def _tls(given: dict[str, Any]) -> bool | Tls:
    tls = Tls(
        given.get("root_certificates"),
        given.get("certificate"),
        given.get("private_key"),
        given.get("target_name_override"),
    )
    wanted = given.get("tls")
    return tls if wanted or (wanted is None and tls != Tls()) else False


def _token(given: dict[str, Any]) -> str | None:
    path = given.get("token_file")
    if path is None:
        return None  # the environment's, if there is one
    try:
        token = str(path.read_text()).strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise click.UsageError(f"--token-file: {path} cannot be read as text") from unreadable
    if not token:
        raise click.UsageError(f"--token-file: {path} is empty")
    return token

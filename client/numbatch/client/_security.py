"""Who the server is, and who the caller: certificates and tokens. What is secret stands in no `repr` and no error."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from numbatch.client._address import Target
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

TLS_VARIABLE = "NUMBATCH_TLS"
ROOT_CERTIFICATES_VARIABLE = "NUMBATCH_ROOT_CERTIFICATES"
CERTIFICATE_VARIABLE = "NUMBATCH_CERTIFICATE"
PRIVATE_KEY_VARIABLE = "NUMBATCH_PRIVATE_KEY"
TOKEN_VARIABLE = "NUMBATCH_TOKEN"

Pem = str | os.PathLike[str] | bytes
Token = str | Callable[[], str]

# What a header carries; a token has no blanks.
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Tls:
    """How a client speaks TLS. Files are read when the client is made; make another one when they have changed.

    Attributes
    ----------
    root_certificates : path or bytes, optional
        The PEM file, or its content, of the authorities that the server's certificate may be from. Default: those of
        gRPC, which are the web's.
    certificate, private_key : path or bytes, optional
        The client's own, in PEM, for a server that wants to know its clients by certificates (mTLS). Both or none.
    target_name_override : str, optional
        The name that must stand in the server's certificate. Default: the host in the address. Several addresses need
        it.
    """

    root_certificates: Pem | None = field(default=None, repr=False)
    certificate: Pem | None = field(default=None, repr=False)
    private_key: Pem | None = field(default=None, repr=False)
    target_name_override: str | None = None

    def credentials(self) -> Any:
        """Return what gRPC makes a channel with.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, for what cannot be read or is no PEM.
        """
        if (self.certificate is None) != (self.private_key is None):
            got = "private_key" if self.certificate is None else "certificate"
            raise error(Reason.INVALID_FIELD, field="tls", got=f"only {got}", expected="certificate and private_key")
        return grpc.ssl_channel_credentials(
            _pem("root_certificates", self.root_certificates, "CERTIFICATE"),
            _pem("private_key", self.private_key, "PRIVATE KEY"),
            _pem("certificate", self.certificate, "CERTIFICATE"),
        )


@dataclass(frozen=True)
class Security:
    """What a client trusts and shows, checked.

    Attributes
    ----------
    credentials : grpc.ChannelCredentials or None
        None: plaintext.
    name : str
        What must stand in the server's certificate; "": the host in its address.
    token : str or callable, or None
        Sent with every call.
    """

    credentials: Any = field(repr=False)
    name: str
    token: Token | None = field(repr=False)

    @classmethod
    def checked(
        cls, target: Target, tls: bool | Tls | None, token: Token | None, *, allow_plaintext_token: bool
    ) -> "Security":
        """Return what a caller gave, and for what is None the environment, checked against the target.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD.
        """
        if not isinstance(tls, bool | Tls | None):
            got = f"a {type(tls).__name__}"
            raise error(
                Reason.INVALID_FIELD, field="tls", got=got, expected="True, False or Tls(root_certificates=...)"
            )
        tls = _tls_of_environment() if tls is None else Tls() if tls is True else tls or None
        name = "token" if token is not None else TOKEN_VARIABLE
        token = os.environ.get(TOKEN_VARIABLE) if token is None else token
        if tls is not None and not tls.target_name_override and not target.has_one_name:
            expected = "Tls(target_name_override=...), the name in the certificates of all servers"
            raise error(Reason.INVALID_FIELD, "several servers", field="tls", got="no name", expected=expected)
        if token and tls is None and not (target.is_local or allow_plaintext_token):
            raise error(
                Reason.INVALID_FIELD,
                "everybody on the way could read and use it",
                field=name,
                got=f"a token for {target.text} without TLS",
                expected="tls=...",
                hint="allow_plaintext_token=True where nobody is on the way",
            )
        if token and not callable(token):
            _checked_token(name, token)
        if tls is None:
            return cls(None, "", token or None)
        return cls(tls.credentials(), tls.target_name_override or "", token or None)

    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """Return what is sent with a call."""
        if self.token is None:
            return None
        token = self.token if isinstance(self.token, str) else _checked_token("token", self.token())
        return (("authorization", f"Bearer {token}"),)

    def channel_options(self) -> list[tuple[str, str]]:
        """Return the options of a channel."""
        name = self.name
        return [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)] if name else []


def _tls_of_environment() -> Tls | None:
    names = (ROOT_CERTIFICATES_VARIABLE, CERTIFICATE_VARIABLE, PRIVATE_KEY_VARIABLE)
    files = [os.environ.get(name) or None for name in names]
    wanted = os.environ.get(TLS_VARIABLE, "").lower()
    if wanted not in ("", "0", "1", "false", "true"):
        raise error(Reason.INVALID_FIELD, field=TLS_VARIABLE, got=repr(wanted), expected="1 or 0")
    if wanted in ("0", "false") or not (wanted or any(files)):
        return None
    return Tls(*files)


def _pem(name: str, given: Pem | None, kind: str) -> bytes | None:
    if given is None:
        return None
    if isinstance(given, bytes):
        content = given
    else:
        try:
            content = Path(given).read_bytes()
        except OSError as unreadable:
            why = f"{os.fspath(given)} cannot be read: {unreadable.strerror}"
            raise error(Reason.INVALID_FIELD, why, field=f"tls.{name}") from unreadable
    if re.search(rb"-----BEGIN [A-Z ]*" + kind.encode() + rb"-----", content) is None:
        # Never what it is instead: it may be a key.
        raise error(Reason.INVALID_FIELD, field=f"tls.{name}", got="something else", expected=f"a {kind} in PEM")
    return content


def _checked_token(name: str, token: object) -> str:
    if isinstance(token, str) and _TOKEN.fullmatch(token):
        return token
    got = "a token with blanks, line breaks or other characters that a header cannot carry"
    if not isinstance(token, str):
        got = f"a {type(token).__name__}"
    elif not token:
        got = "an empty one"
    raise error(Reason.INVALID_FIELD, field=name, got=got, expected="a str of visible ASCII characters")

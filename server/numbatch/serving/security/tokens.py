"""Bearer tokens: read from files and the environment, kept as hashes, compared in constant time."""

import hashlib
import hmac
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from numbatch.serving.security.files import Signature, signature
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)

# What RFC 6750 lets a bearer token be.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class Tokens:
    """The tokens of one scope: some that stay, and those of a file, which is read again when it changes.

    Parameters
    ----------
    name : str
        The option that names the file, for errors and the log.
    file : Path or None
        One token a line; empty lines and what follows a # are ignored.
    variable : str
        The environment variable that may have further ones, separated by commas or white space.
    environ : mapping of str to str
        The environment.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if the file cannot be read, a token is none, or the variable is empty: a secret that was not
        filled in must not open the server. It never tells a token.
    """

    def __init__(self, name: str, file: Path | None, variable: str, environ: Mapping[str, str]) -> None:
        self._name = name
        self._file = file
        listed = [token for token in re.split(r"[\s,]+", environ.get(variable, "")) if token]
        if variable in environ and not listed:
            problem = f"the environment variable {variable} is an empty list of tokens"
            raise error(Reason.INVALID_FIELD, problem, field=name, hint="fill or unset it")
        self._fixed = _hashed(name, enumerate(listed, 1), f"the environment variable {variable}, token")
        self._seen: Signature = ()
        self._from_file: list[bytes] = []
        if file is not None:
            self._seen = signature([file])
            self._from_file = self._read(file)

    @property
    def configured(self) -> bool:
        """Whether there is a source of tokens; one that has become empty lets nobody in."""
        return self._file is not None or bool(self._fixed)

    def __contains__(self, token: str) -> bool:
        """Whether it is one of them. It takes the same time whichever it is."""
        self._refresh()
        given = _hash(token)
        found = False
        for known in (*self._fixed, *self._from_file):
            found |= hmac.compare_digest(given, known)
        return found

    def _refresh(self) -> None:
        if self._file is None:
            return
        now = signature([self._file])
        if now == self._seen:
            return
        self._seen = now
        try:
            self._from_file = self._read(self._file)
        except NumbatchError as failed:
            _log.error("the tokens stay as they were: %(problem)s", {"problem": failed.message})
        else:
            _log.info(
                "read tokens option=%(option)s file=%(file)s tokens=%(tokens)d",
                {"option": self._name, "file": self._file, "tokens": len(self._from_file)},
            )

    def _read(self, file: Path) -> list[bytes]:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as failed:
            because = failed.strerror if isinstance(failed, OSError) else "no UTF-8"
            got = f"{str(file)!r}: {because}"
            raise error(
                Reason.INVALID_FIELD, "cannot read tokens", field=self._name, got=got, expected="a text file"
            ) from None
        return _hashed(self._name, ((n, line.partition("#")[0].strip()) for n, line in enumerate(lines, 1)), "line")


def _hashed(name: str, tokens: Iterable[tuple[int, str]], where: str) -> list[bytes]:
    hashes = []
    for number, token in tokens:
        if token and not _TOKEN.fullmatch(token):
            expected = "letters, digits and -._~+/, then any number of ="
            raise error(Reason.INVALID_FIELD, f"no token in {where} {number}", field=name, expected=expected)
        if token:
            hashes.append(_hash(token))
    return hashes


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()

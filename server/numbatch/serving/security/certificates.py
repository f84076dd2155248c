"""The files of TLS: read, checked, and read again when they have changed."""

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from numbatch.serving.config.security import SecurityOptions
from numbatch.serving.security.files import signature
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Certificates:
    """The contents of the files, which fit together.

    Attributes
    ----------
    chain, key : bytes
        The server's own, PEM.
    client_ca : bytes or None
        The authorities of clients, PEM; None: clients need no certificate.
    """

    chain: bytes
    key: bytes
    client_ca: bytes | None


class CertificateFiles:
    """Gives the certificates that are in use: the newest that are whole. Any thread may ask.

    Parameters
    ----------
    chain, key : Path
        The server's certificate chain and private key.
    client_ca : Path or None
        The authorities of clients.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if a file cannot be read, is no PEM, or the key is another certificate's.
    """

    def __init__(self, chain: Path, key: Path, client_ca: Path | None) -> None:
        self._chain, self._key, self._client_ca = chain, key, client_ca
        self._paths = [path for path in (chain, key, client_ca) if path is not None]
        self._lock = threading.Lock()
        self._seen = signature(self._paths)
        self._good = self._read()

    @property
    def mutual(self) -> bool:
        """Whether clients need a certificate."""
        return self._client_ca is not None

    def current(self) -> Certificates:
        """Return the certificates, read again if a file has changed and all are good."""
        with self._lock:
            now = signature(self._paths)
            if now != self._seen:
                self._seen = now
                self._replace()
            return self._good

    def _replace(self) -> None:
        try:
            read = self._read()
        except NumbatchError as failed:
            _log.error("the TLS certificate stays as it was: %(problem)s", {"problem": failed.message})
            return
        if signature(self._paths) != self._seen:
            self._seen = ()  # they changed while they were read: the next handshake reads them again
            return
        self._good = read
        _log.info("read TLS certificate file=%(file)s", {"file": self._chain})

    def _read(self) -> Certificates:
        chain = _content("tls_certificate", self._chain)
        _check_certificates("tls_certificate", self._chain, chain)
        key = _content("tls_key", self._key)
        _check_key(self._chain, self._key)
        if self._client_ca is None:
            return Certificates(chain, key, None)
        client_ca = _content("tls_client_ca", self._client_ca)
        _check_certificates("tls_client_ca", self._client_ca, client_ca)
        return Certificates(chain, key, client_ca)


def certificate_files(config: SecurityOptions) -> CertificateFiles | None:
    """Return the files that a server is told to use; None: no TLS."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    return CertificateFiles(config.tls_certificate, config.tls_key, config.tls_client_ca)


def _content(field: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failed:
        got = f"{str(path)!r}: {failed.strerror}"
        raise error(Reason.INVALID_FIELD, field=field, got=got, expected="a PEM file") from failed


def _check_certificates(field: str, path: Path, pem: bytes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=pem.decode())
    except (ssl.SSLError, ValueError):
        problem, expected = "not whole, or no PEM", "certificates, as PEM"
        raise error(Reason.INVALID_FIELD, problem, field=field, got=repr(str(path)), expected=expected) from None


def _check_key(chain: Path, key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(chain, key, password=_no_password)
    except ssl.SSLError as failed:
        problem, expected = "not whole, or no PEM", "a private key without a password, as PEM"
        if failed.reason == "KEY_VALUES_MISMATCH":
            problem, expected = "the key of another certificate", f"that of {str(chain)!r}"
        raise error(Reason.INVALID_FIELD, problem, field="tls_key", got=repr(str(key)), expected=expected) from None
    except OSError as failed:  # gone since it was read
        got = f"{str(key)!r}: {failed.strerror}"
        raise error(Reason.INVALID_FIELD, field="tls_key", got=got, expected="a PEM file") from failed


def _no_password() -> str:
    """Have a key that is encrypted refused, rather than a password asked for at the terminal."""
    return ""

"""Certificates as files, and channels that use them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import trustme

from support.raw_calls import RawCalls


class Authority:
    """Issues certificates for this machine."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.pem: bytes = self._ca.cert_pem.bytes()

    def issue(self, certificate: Path, key: Path) -> None:
        """Write a new certificate and its key."""
        issued = self._ca.issue_cert("localhost", "127.0.0.1")
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())

    def client_pair(self) -> tuple[bytes, bytes]:
        """Return the key and the certificate of a client."""
        issued = self._ca.issue_cert("client@example.org")
        return issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()


@contextmanager
def tls_calls(address: str, trusted: bytes, pair: tuple[bytes, bytes] = (b"", b"")) -> Iterator[RawCalls]:
    """Open a channel of its own that trusts an authority, and shows a key and certificate if it has any."""
    key, certificate = pair
    credentials = grpc.ssl_channel_credentials(trusted, key or None, certificate or None)
    with grpc.secure_channel(address, credentials, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield RawCalls(channel)

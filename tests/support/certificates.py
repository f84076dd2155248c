"""Certificates for tests: an authority, a server's and a client's."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import trustme


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, in PEM."""

    certificate: bytes
    private_key: bytes


@dataclass(frozen=True)
class Authority:
    """Signs certificates; whoever trusts `root` trusts them."""

    _ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def root(self) -> bytes:
        return bytes(self._ca.cert_pem.bytes())

    def identity(self, *names: str) -> Identity:
        """Return a certificate for host names or addresses, and its key."""
        leaf = self._ca.issue_cert(*names)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        return Identity(chain, bytes(leaf.private_key_pem.bytes()))

    def server_credentials(self, *names: str, clients: "Authority | None" = None) -> Any:
        """Return what a gRPC server listens with; `clients`: the authority of the clients that it lets in."""
        own = self.identity(*names)
        pair = [(own.private_key, own.certificate)]
        root = None if clients is None else clients.root
        return grpc.ssl_server_credentials(pair, root, require_client_auth=clients is not None)


def write(folder: Path, **contents: bytes) -> dict[str, str]:
    """Write each content into a file of its name, and return the paths."""
    paths = {name: folder / f"{name}.pem" for name in contents}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    return {name: str(path) for name, path in paths.items()}

"""TLS for HTTP: every handshake uses the certificates that are in use then."""

import os
import ssl
from typing import Any

from numbatch.serving.security.certificates import CertificateFiles, Certificates


def server_context(files: CertificateFiles) -> ssl.SSLContext:
    """Return a context that follows the files. Connections that are open keep what they began with.

    Where there are authorities of clients, a client may show a certificate of theirs and need not: whoever answers it
    asks for one where it is needed, as health checks have none.
    """
    in_use = files.current()
    context = first = _context(in_use)

    def choose(handshake: Any, name: str | None, _: ssl.SSLContext) -> None:
        nonlocal in_use, context
        now = files.current()
        if now is not in_use:
            in_use, context = now, _context(now)
        handshake.context = context

    first.sni_callback = choose
    return first


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if certificates.client_ca is not None:
        context.load_verify_locations(cadata=certificates.client_ca.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
    # Python reads them from files only; what was read and checked is what is used, and keys go to no disk.
    descriptor = os.memfd_create("numbatch-tls", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificates.chain + b"\n" + certificates.key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context

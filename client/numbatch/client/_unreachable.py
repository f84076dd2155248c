"""Why there is no connection, and what to do. Pure: the cause is searched for in the text that gRPC gives."""

import re

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

# Where gRPC's text has the first, the second is what to do. A group of the first is the part that tells why.
_HINTS = {
    r"CERTIFICATE_VERIFY_FAILED: (unable to get (?:local )?issuer certificate|self[- ]signed certificate[\w ]*)": (
        "its certificate is from no authority that is trusted here; name yours: Tls(root_certificates=...)"
    ),
    r"CERTIFICATE_VERIFY_FAILED: ([^:]+)": "the server needs another certificate",
    r"(Hostname Verification Check failed)": (
        "its certificate has another name than the address; say which: Tls(target_name_override=...)"
    ),
    r"(WRONG_VERSION_NUMBER)": "the server there speaks no TLS",
    r"([Hh]andshake failed)": "check tls=...",
    r"(Failed to create security handshaker)": (
        "the certificates that this client was given are damaged, or the private key is that of another: check tls=..."
    ),
    r"(Socket closed)$": (
        "the server ended just now; or it speaks TLS, or wants the certificate of its clients: check tls=..."
    ),
}


def none_ready(server: str) -> NumbatchError:
    """Return the error for several servers that are there, but not ready."""
    hint = "wait_ready() waits for one; `numbatch health --server HOST:PORT` asks one of them"
    return error(Reason.SERVER_UNREACHABLE, f"no server of {server} is ready", hint=hint)


def unreachable(server: str, details: str) -> NumbatchError:
    """Return the error for a call that gRPC ended with UNAVAILABLE.

    Parameters
    ----------
    server : str
        Where it went.
    details : str
        gRPC's text.
    """
    if "backend unhealthy" in details:
        return none_ready(server)
    for pattern, hint in _HINTS.items():
        found = re.search(pattern, details)
        if found:
            return error(Reason.SERVER_UNREACHABLE, f"no connection to {server}: {found[1]}", hint=hint)
    # The last part of gRPC's text is the operating system's: "Connection refused". The exception's cause has all of it.
    why = details.rpartition(": ")[2].rstrip("]")
    hint = "check that a server runs there (`numbatch serve`), or name another: server=..., or NUMBATCH_SERVER"
    return error(Reason.SERVER_UNREACHABLE, f"no connection to {server}: {why}", hint=hint)

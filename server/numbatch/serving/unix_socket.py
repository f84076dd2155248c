"""The file of a unix socket: taking it over from a server that has died, never from one that lives."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

# For the owner and the group: who may use the server follows from who may open its folder.
_MODE = 0o660


def clear_stale(path: Path) -> None:
    """Make way for a new socket: remove the file that a server left behind that no longer runs.

    gRPC would remove the file of a server that runs, too.

    Raises
    ------
    OSError
        If a server listens there, the file is none of a socket, or the folder cannot be used; the message says which.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise _refused(path, errno.ENOENT, f"there is no folder {path.parent}; create it") from None
        return
    if not stat.S_ISSOCK(mode):
        raise _refused(path, errno.EADDRINUSE, "there is a file that is no socket; remove it, or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except PermissionError as denied:
            raise _refused(path, errno.EACCES, "another user's socket; choose another path") from denied
        except BlockingIOError:
            pass  # its queue is full: it lives
    raise _refused(path, errno.EADDRINUSE, "a server listens there; stop it, or choose another path")


@contextlib.contextmanager
def socket_mode() -> Iterator[None]:
    """Give the sockets that are bound meanwhile their mode, whatever the process's umask says."""
    before = os.umask(0o777 & ~_MODE)
    try:
        yield
    finally:
        os.umask(before)


def _refused(path: Path, number: int, because: str) -> OSError:
    return OSError(number, f"cannot listen on unix:{path}: {because}")

"""Regions of POSIX shared memory that callers have registered, for tensors that are not to travel.

They are read and written like files, never mapped: a caller who shortens its memory while it is used, or writes to it,
makes a request of its own fail, and would end the process if the process had it mapped (SIGBUS). It costs one copy, and
the elements of a request stay what they were when they were checked.
"""

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numbatch.serving.oip.messages import Place
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, array_bytes

# Where Linux has what shm_open() opens.
_FOLDER = Path("/dev/shm")

# Each holds a file open.
MOST_REGIONS = 512

_MOST_CHARACTERS = 255
_LARGEST = 2**63 - 1
_LISTED = 8


class Region(NamedTuple):
    """A region.

    Attributes
    ----------
    name : str
        What requests call it.
    key : str
        What the system calls the object that it lies in: "/name".
    offset, byte_size : int
        Which part of that it is.
    file : int
        The open file.
    """

    name: str
    key: str
    offset: int
    byte_size: int
    file: int


class Regions:
    """The regions that are registered, by name.

    Parameters
    ----------
    shared_by_all : bool
        Whether this process answers all requests. False: there are others, which would not know of the regions, so
        none can be registered.
    max_bytes : int
        The most that one request may bring in them: they are no way around the limit of messages.
    """

    def __init__(self, *, shared_by_all: bool = True, max_bytes: int = 64 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._regions: dict[str, Region] = {}
        self._shared_by_all = shared_by_all

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Open a region.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD: a name that is taken, a key that is none, a part that the object does not have.
        OverloadedError
            SERVER_OVERLOADED, if there are too many.
        UnsupportedError
            FEATURE_UNSUPPORTED, if there are several processes.
        """
        if not self._shared_by_all:
            problem = "shared memory with several workers: a region would be known to one of them"
            raise error(Reason.FEATURE_UNSUPPORTED, problem, hint="serve with --workers 1")
        if not name or len(name) > _MOST_CHARACTERS:
            raise error(Reason.INVALID_FIELD, field="name", got=_short(name), expected="1 to 255 characters")
        if name in self._regions:
            expected = "a name that is free"
            raise error(
                Reason.INVALID_FIELD, "a region has this name", field="name", got=_short(name), expected=expected
            )
        if len(self._regions) >= MOST_REGIONS:
            raise error(Reason.SERVER_OVERLOADED, "too many regions", field="name", expected=f"at most {MOST_REGIONS}")
        if not 0 < byte_size <= _LARGEST:
            raise error(Reason.INVALID_FIELD, field="byte_size", got=byte_size, expected="1 or more")
        if not 0 <= offset <= _LARGEST - byte_size:
            raise error(Reason.INVALID_FIELD, field="offset", got=offset, expected="0 or more")
        file = _open(key)
        try:
            size = os.fstat(file).st_size
            if offset + byte_size > size:
                got, expected = f"{byte_size} from {offset} on", f"a part of the {size} bytes of {_short(key)}"
                raise error(Reason.INVALID_FIELD, "beyond its end", field="byte_size", got=got, expected=expected)
        except BaseException:
            os.close(file)
            raise
        self._regions[name] = Region(name, key, offset, byte_size, file)

    def unregister(self, name: str = "") -> None:
        """Forget a region, or with "" all; one that is not known is forgotten already."""
        for each in [name] if name else list(self._regions):
            region = self._regions.pop(each, None)
            if region is not None:
                os.close(region.file)

    def status(self, name: str = "") -> Sequence[Region]:
        """Return one region, or with "" all, in the order of their registration.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if it is not known.
        """
        return [self._region(name, "name")] if name else list(self._regions.values())

    def close(self) -> None:
        """Forget all."""
        self.unregister()

    def check_size(self, places: Iterable[Place]) -> None:
        """Refuse the tensors of a request that are more than one may bring; before anything is read.

        Raises
        ------
        MessageTooLargeError
            MESSAGE_TOO_LARGE.
        """
        total = sum(place.byte_size for place in places)
        if total > self._max_bytes:
            got, expected = f"{total} bytes", f"at most {self._max_bytes} bytes, the limit of messages"
            problem = "tensors in shared memory"
            raise error(Reason.MESSAGE_TOO_LARGE, problem, field="inputs", got=got, expected=expected)

    def read(self, place: Place, field: str) -> memoryview:
        """Return the bytes at a place.

        Parameters
        ----------
        place : Place
            Where they are.
        field : str
            The path of the tensor, for errors.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD.
        """
        region = self._part(place, field)
        data = np.empty(place.byte_size, np.uint8).data  # not zeroed first, as a bytearray is
        done = 0
        while done < place.byte_size:
            count = os.preadv(region.file, [data[done:]], region.offset + place.offset + done)
            if count == 0:
                raise self._shortened(region, field)
            done += count
        return data.toreadonly()

    def check_room(self, place: Place, needed: int, field: str) -> None:
        """Refuse a place that an output of so many bytes does not fit into, or that there is not.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, BYTE_COUNT_MISMATCH.
        """
        self._part(place, field)
        if place.byte_size < needed:
            path, got = f"{field}.parameters.shared_memory_byte_size", f"{place.byte_size} bytes"
            raise error(Reason.BYTE_COUNT_MISMATCH, field=path, got=got, expected=f"{needed} bytes or more")

    def write(self, place: Place, array: Array, field: str) -> None:
        """Put an output at a place that `check_room` has let pass.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD.
        """
        region = self._part(place, field)
        data = array_bytes(array)
        at = region.offset + place.offset
        # To write behind the end would make the object longer.
        if os.fstat(region.file).st_size < at + len(data):
            raise self._shortened(region, field)
        try:
            while data:
                count = os.pwrite(region.file, data, at)
                data, at = data[count:], at + count
        except OSError as full:
            problem = f"shared memory cannot be written: {os.strerror(full.errno or 0)}"
            raise error(Reason.INVALID_FIELD, problem, field=f"{field}.parameters.shared_memory_region") from full

    def _part(self, place: Place, field: str) -> Region:
        region = self._region(place.region, f"{field}.parameters.shared_memory_region")
        if place.offset + place.byte_size > region.byte_size:
            got = f"{place.byte_size} bytes from {place.offset} on"
            expected = f"a part of the {region.byte_size} bytes of region {_short(region.name)}"
            path = f"{field}.parameters.shared_memory_byte_size"
            raise error(Reason.INVALID_FIELD, "beyond its end", field=path, got=got, expected=expected)
        return region

    def _region(self, name: str, field: str) -> Region:
        region = self._regions.get(name)
        if region is None:
            names = ", ".join(map(_short, list(self._regions)[:_LISTED]))
            expected = names or "nothing: no region is registered"
            raise error(Reason.INVALID_FIELD, "no such region", field=field, got=_short(name), expected=expected)
        return region

    def _shortened(self, region: Region, field: str) -> NumbatchError:
        problem = f"the object {_short(region.key)} has become shorter than it was when the region was registered"
        return error(Reason.INVALID_FIELD, problem, field=f"{field}.parameters.shared_memory_region")


def _open(key: str) -> int:
    """Open what shm_open() would."""
    name = key.removeprefix("/")
    if not name or "/" in name or "\0" in name or name in (".", "..") or len(name) > _MOST_CHARACTERS:
        expected = "the name of an object of POSIX shared memory, '/name'"
        raise error(Reason.INVALID_FIELD, field="key", got=_short(key), expected=expected)
    try:
        # Not a link to somewhere else, and not a pipe, whose opening would wait.
        file = os.open(_FOLDER / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, UnicodeEncodeError) as failed:
        why = "no such object" if _errno(failed) == errno.ENOENT else f"it cannot be opened: {failed}"
        hint = "a server in a container sees shared memory of others only if it shares /dev/shm with them"
        raise error(Reason.INVALID_FIELD, why, field="key", got=_short(key), hint=hint) from failed
    with suppress(OSError):
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
    os.close(file)
    raise error(Reason.INVALID_FIELD, "no shared memory", field="key", got=_short(key))


def _errno(failed: Exception) -> int:
    return (failed.errno or 0) if isinstance(failed, OSError) else 0


def _short(text: str) -> str:
    return repr(text[:64])

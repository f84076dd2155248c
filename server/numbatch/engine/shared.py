"""Models whose packed weights are in memory once, however many processes of this machine serve them.

The first process that loads a model packs its weights into a file; the others map that file, and never unpack what it
was made of. The file's name is a digest of all that its bytes depend on. What is mapped can only be read.
"""

import hashlib
import json
import logging
import mmap
import os
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numbatch.engine.files import model_file
from numbatch.engine.leases import Lease
from numbatch.engine.loaded import LoadedModel, attach_model, load_model
from numbatch.engine.validation import Source
from numbatch.kernels.arena import mapped_file
from numbatch.kernels.cache import kernels_digest
from numbatch.v1.model_pb2 import Model
from numbatch.wire.tensors import Float32Array

_log = logging.getLogger(__name__)

# Smaller ones are loaded by each process: a shared one occupies a file descriptor in each.
LEAST_SHARED_BYTES = 1024 * 1024

_ARENA, _SKELETON = "arena", "model.binpb"

# So often, files that change while they are read are read again.
_TRIES = 3


class SharedModels:
    """Loads models as `load_model` does, with weights that are shared.

    Parameters
    ----------
    folder : Path
        Where the files are; all that share have the same one. It is theirs alone.
    least_bytes : int
        Models whose files are smaller are not shared.
    """

    def __init__(self, folder: Path, *, least_bytes: int = LEAST_SHARED_BYTES) -> None:
        self._folder = folder
        self._least_bytes = least_bytes

    def __call__(self, source: Source, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        """Load a model; parameters, result and errors are those of `load_model`."""
        for _ in range(_TRIES):
            try:
                content = _message_content(source) if isinstance(source, Model) else _folder_content(source)
            except OSError:
                break  # it says better what is wrong
            if content.size < self._least_bytes:
                break
            try:
                return self._load(content, source, name, weights_precision)
            except _ChangedError:
                continue
            except OSError as failed:
                _log.warning(
                    "the weights of model=%(model)s cannot be shared, this process has a copy of its own: %(problem)s; "
                    "set runtime_directory to another folder, with room for them",
                    {"model": name, "problem": failed},
                )
                break
        return load_model(source, name=name, weights_precision=weights_precision)

    def _load(self, content: "_Content", source: Source, name: str, weights_precision: str) -> LoadedModel:
        def make(folder: Path) -> None:
            made = load_model(
                source,
                name=name,
                weights_precision=weights_precision,
                make_arena=lambda count: _new_arena(folder / _ARENA, count),
            )
            if content.folder is not None and _files(content.folder) != content.files:
                raise _ChangedError
            (folder / _SKELETON).write_bytes(made.message(include_weights=False).SerializeToString())

        key = json.dumps([kernels_digest(), name, weights_precision, content.digest])
        lease = Lease.take(self._folder / hashlib.sha256(key.encode()).hexdigest()[:32], make)
        try:
            skeleton = Model.FromString((lease.folder / _SKELETON).read_bytes())
            model = attach_model(skeleton, mapped_file(lease.folder / _ARENA), weights_precision=weights_precision)
        except BaseException:
            lease.release()
            raise
        # At the end of the process there is nothing to do: whoever made the folder of all removes it.
        weakref.finalize(model, lease.release).atexit = False
        return model


class _ChangedError(Exception):
    """A model's files changed while they were read."""


class _File(NamedTuple):
    """A file, and what tells whether it has changed."""

    path: Path
    size: int
    mtime_ns: int
    inode: int


class _Content(NamedTuple):
    """What a model is made of: all the files of its folder, or a message, which counts as a folder with its file."""

    digest: str
    size: int
    folder: Path | None = None
    files: tuple[_File, ...] = ()


def _message_content(model: Model) -> _Content:
    data = model.SerializeToString(deterministic=True)
    return _Content(_digest({_SKELETON: hashlib.sha256(data).hexdigest()}), len(data))


def _folder_content(source: str | os.PathLike[str]) -> _Content:
    folder = model_file(source).parent
    files = _files(folder)
    digests = {}
    for file in files:
        with file.path.open("rb") as opened:
            digests[str(file.path.relative_to(folder))] = hashlib.file_digest(opened, "sha256").hexdigest()
    return _Content(_digest(digests), sum(file.size for file in files), folder, files)


def _files(folder: Path) -> tuple[_File, ...]:
    found = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return tuple(_File(path, stat.st_size, stat.st_mtime_ns, stat.st_ino) for path, stat in found)


def _digest(digests: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def _new_arena(path: Path, count: int) -> Float32Array:
    """Return zeros that are a new file's."""
    with path.open("x+b") as file:
        # A disk that is full says so now, instead of ending the process when a page is written.
        os.posix_fallocate(file.fileno(), 0, 4 * count)
        return np.frombuffer(mmap.mmap(file.fileno(), 4 * count), np.float32)

"""Compiling the kernels once, and keeping the machine code on disk.

Numba's own cache looks at one source file only; the kernels are made by several. Here the folder's name holds a digest
of everything that shapes the code: the sources of this package and the versions of Numba and LLVM. (Numba adds the
processor's name and features to the key.) A cache that cannot be read or written costs a warning and a compilation,
never a failure.

The folder is NUMBATCH_CACHE_DIR, or else XDG_CACHE_HOME/numbatch, or else ~/.cache/numbatch.
"""

import contextlib
import functools
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching
from numba.core.runtime import rtsys

from numbatch.kernels.target import TARGET

_log = logging.getLogger(__name__)


def cache_directory() -> Path:
    """Return the folder where the machine code of this version of the kernels is kept."""
    home = os.environ.get("NUMBATCH_CACHE_DIR", "")
    if not home:
        base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        home = str(Path(base) / "numbatch")
    return Path(home) / f"kernels-{kernels_digest()[:16]}"


@functools.cache
def kernels_digest() -> str:
    """Return a digest of all that shapes the code, and with it the layout of packed weights."""
    digest = hashlib.sha256(f"numba {numba.__version__} llvmlite {llvmlite.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    """Tells Numba's cache where to look."""

    def __init__(self, py_func: Callable[..., Any]) -> None:
        self._py_file = py_func.__code__.co_filename  # Numba reads it to say where a warning comes from.
        self._name = py_func.__qualname__

    def get_cache_path(self) -> str:
        return str(cache_directory())

    def get_source_stamp(self) -> str:
        return kernels_digest()

    def get_disambiguator(self) -> str:
        return self._name

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_Locator":
        return cls(py_func)


class _Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]


class KernelCache(caching.FunctionCache):  # type: ignore[misc]
    """Numba's cache in our folder, made so that no trouble with it stops a kernel."""

    _impl_class = _Implementation
    what = "code"
    problem = ""  # why the machine code could not be kept
    compile_elsewhere: Callable[[], object] | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is kept for a signature, or None."""
        kept = self._kept(sig, target_context)
        if kept is None:
            # Before the compiler begins: whoever waits for it is to know why.
            _log.info("compiling the %s for %s, once; kept in %s", self.what, TARGET.name, self.cache_path)
            if self.compile_elsewhere is not None and self._can_be_written():
                self.compile_elsewhere()
                kept = self._kept(sig, target_context)
        return kept

    def _kept(self, sig: Any, target_context: Any) -> Any:
        kept = None
        try:
            # As the class above does, but without what only a compiler needs: 200 modules and all their types,
            # 30 MB and half a second. The code calls functions of the run-time, so that is what it needs.
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                kept = self._load_overload(sig, target_context)
        except Exception as unreadable:  # a truncated or foreign file may raise anything that unpickling can
            _log.warning("the kernel cache in %s cannot be read, compiling: %r", self.cache_path, unreadable)
            with contextlib.suppress(OSError):
                self.flush()
        return kept

    def _can_be_written(self) -> bool:
        try:
            self._impl.locator.ensure_cache_path()
        except OSError:
            return False
        return True

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code for a signature, if that can be done."""
        try:
            super().save_overload(sig, data)
        except OSError as unwritable:
            self.problem = str(unwritable)
            _log.warning(
                "the kernel cache in %s cannot be written, the next start will compile again: %s; "
                "set NUMBATCH_CACHE_DIR to a folder that can be",
                self.cache_path,
                unwritable,
            )


def compiled_once(function: Callable[..., None], signature: Any, what: str) -> "CompiledOnce":
    """Return a function compiled, for this signature only, when it is first called or on `prepare`.

    `what` it is, is said in the log. It releases the global interpreter lock while it runs. Nothing is ever compiled
    after `prepare`.
    """
    return CompiledOnce(function, signature, what)


class CompiledOnce:
    """A function that is compiled once, or taken from the cache; see `compiled_once`.

    Attributes
    ----------
    from_cache : bool
        Whether it was, once it is ready.
    cache_problem : str
        Why the cache could not keep it; "" if it does.
    """

    def __init__(self, function: Callable[..., None], signature: Any, what: str) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._signature = signature
        self._dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
        self._cache = KernelCache(function)
        self._cache.what = what
        self._dispatcher._cache = self._cache
        self.from_cache = False
        self.cache_problem = ""
        self._lock = threading.Lock()
        self._ready: Callable[..., None] | None = None

    def prepare(self, compile_elsewhere: Callable[[], object] | None = None) -> Callable[..., None]:
        """Compile now, or take the machine code from the cache, and return the compiled function.

        A compiler leaves 100 MB behind in its process. `compile_elsewhere`, if it is given, is called where there is
        something to compile, to have another process do it and keep the machine code in the cache; if that does not
        come off, this process compiles.

        What is returned is called without the search for a version that fits the arguments: their types are for the
        caller to get right.

        Raises
        ------
        RuntimeError
            If Numba was told not to compile.
        """
        with self._lock:
            if self._ready is None:
                if numba.config.DISABLE_JIT:
                    raise RuntimeError(
                        f"NUMBA_DISABLE_JIT is set: the {self._cache.what} cannot run as Python; unset it"
                    )
                started = time.perf_counter()
                self._cache.compile_elsewhere = compile_elsewhere
                self._dispatcher.compile(self._signature)
                self._ready = self._dispatcher.overloads[self._signature.args].entry_point
                seconds = time.perf_counter() - started
                self.from_cache = bool(self._dispatcher.stats.cache_hits)
                self.cache_problem = self._cache.problem
                how = "taken from the cache" if self.from_cache else "compiled"
                _log.info("%s %s in %.2f s", self._cache.what, how, seconds)
            return self._ready

    def assembly(self) -> str:
        """Return the machine code as text, for tests and the curious; compiled anew, as the cache holds no text."""
        dispatcher = numba.njit(nogil=True, error_model="numpy")(self._function)
        dispatcher.compile(self._signature)
        return "\n".join(dispatcher.inspect_asm().values())

    def __call__(self, *arguments: Any) -> None:
        """Run it."""
        (self._ready or self.prepare())(*arguments)

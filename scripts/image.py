"""Lay out the root file system of an image: what a program of this environment needs at run time, and nothing else.

    /opt/numbatch/bin/python scripts/image.py 'numbatch[server]' /image/server

server/Dockerfile runs it in the image that it builds in, and copies the folder into an empty one. What is taken: the
distributions that are asked for and those that they need, the interpreter with its library, the shared libraries that
any of these are linked with, certificates, and the names of the user. There is no shell and no package manager.

Everything keeps its place, so that paths in files stay true.
"""

import argparse
import compileall
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path, PurePath

from packaging.requirements import Requirement

# Their names are asked for, but nothing in numbatch comes to need them: rich colours source code and reads Markdown.
NEEDLESS = {"markdown-it-py", "mdurl", "pygments"}

# Of the distributions that are taken.
LEFT_OUT = re.compile(
    r"/tests?/|\.(pyi|pyx|pxd|h|hpp|c|cpp|cc|a|lib)$"  # what compilers and type checkers read
    r"|^numba/(cuda|pycc|testing)/|^numba/np/ufunc/(omp|tbb)pool|^numpy/(f2py|distutils|_pyinstaller)/"
    r"|^\.\./.*/bin/(?!numbatch$)|__pycache__/"
)

# Of Python's own library: what shows windows, teaches, installs, tests, or is kept for building.
LIBRARY_LEFT_OUT = {
    *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "venv"),
    *("site-packages", "dist-packages", "__pycache__"),
}
LIBRARY_FILES_LEFT_OUT = re.compile(r"^(turtle\.py|config-.*|EXTERNALLY-MANAGED|_tkinter\..*|.*_test.*\.so)$")

# Loaded by name when they are needed, so that no file is linked with them.
LOADED_BY_NAME = ("libgcc_s.so.1",)

FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/os-release", "/etc/ld.so.conf")
FOLDERS_THAT_ARE_LINKS = ("/bin", "/lib", "/lib64", "/sbin")

# Where volumes are mounted. Those that everybody may write give that to a new volume, whoever the user is.
FOLDERS = {"/tmp": 0o1777, "/reports": 0o1777, "/models": 0o755, "/var/cache/numbatch": 0o755}

USER = 10001
ETC = {
    "passwd": f"root:x:0:0:root:/:/sbin/nologin\nnumbatch:x:{USER}:{USER}:numbatch:/tmp:/sbin/nologin\n",
    "group": f"root:x:0:\nnumbatch:x:{USER}:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def needed(asked: str) -> dict[str, importlib.metadata.Distribution]:
    """Return the distributions that a requirement such as 'numbatch[server]' stands for, by their names."""
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(asked)]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        for extra in ("", *requirement.extras):
            if (name, extra) in seen or name in NEEDLESS:
                continue
            seen.add((name, extra))
            found[name] = importlib.metadata.distribution(name)
            for text in found[name].requires or ():
                wanted = Requirement(text)
                if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                    waiting.append(wanted)
    return found


def files_of(distribution: importlib.metadata.Distribution) -> Iterator[Path]:
    """Return the files of a distribution that are needed at run time."""
    for file in distribution.files or ():
        if not LEFT_OUT.search(str(PurePath(file))):
            yield Path(os.path.normpath(str(distribution.locate_file(file))))


def files_of_python() -> Iterator[Path]:
    """Return the interpreter, all links that lead to it, and its library."""
    environment = Path(sys.prefix)
    yield environment / "pyvenv.cfg"
    for link in sorted((environment / "bin").glob("python*")):
        while link.is_symlink():
            yield link
            link = Path(os.path.normpath(link.parent / link.readlink()))
        yield link
    for folder, folders, names in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = [name for name in folders if not _left_out_of_library(name)]
        yield from (Path(folder, name) for name in names if not _left_out_of_library(name))


def _left_out_of_library(name: str) -> bool:
    return name in LIBRARY_LEFT_OUT or LIBRARY_FILES_LEFT_OUT.match(name) is not None


def libraries_of(files: list[Path]) -> set[Path]:
    """Return the shared libraries that these are linked with, and the program that loads them."""
    binaries = [file for file in files if not file.is_symlink() and _is_elf(file)]
    told = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    missing = re.findall(r"\s(\S+) => not found", told)
    if missing:
        raise SystemExit(f"not found: {', '.join(sorted(set(missing)))}")
    linked = {Path(path) for path in re.findall(r"(/\S+) \(0x", told)}
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    by_name = {Path(re.findall(rf"^\s{re.escape(name)} .* => (/\S+)", known, re.M)[0]) for name in LOADED_BY_NAME}
    return linked | by_name


def _is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


class Root:
    """The folder that becomes the root of the image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for link in FOLDERS_THAT_ARE_LINKS:
            if Path(link).is_symlink():
                self._place(link).parent.mkdir(parents=True, exist_ok=True)
                self._place(link).symlink_to(Path(link).readlink())

    def _place(self, path: Path | str) -> Path:
        return self.folder / str(path).lstrip("/")

    def take(self, path: Path) -> None:
        """Copy a file to its place; a link stays a link."""
        place = self._place(Path(os.path.realpath(path.parent)) / path.name)
        if not place.exists() and not place.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place, follow_symlinks=False)

    def take_library(self, path: Path) -> None:
        """Copy a shared library under the name by which it is found."""
        place = self._place(Path(os.path.realpath(path.parent)) / path.name)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        self._place(path).parent.mkdir(parents=True, exist_ok=True)
        self._place(path).write_text(text)

    def make_folder(self, path: str, mode: int) -> None:
        """Make an empty folder."""
        self._place(path).mkdir(parents=True, exist_ok=True)
        self._place(path).chmod(mode)

    def strip(self) -> None:
        """Remove debugging symbols from what wheels brought; not where other libraries were written into the file."""
        repaired = {path.name.removesuffix(".libs") for path in self.folder.rglob("*.libs")}
        for file in self.folder.rglob("site-packages/**/*.so*"):
            if not repaired & {part.removesuffix(".libs") for part in file.parts}:
                subprocess.run(["strip", "--strip-unneeded", file], check=True)

    def compile(self) -> None:
        """Compile Python's sources: where the root is read-only, nobody could keep that at run time."""
        for folder in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")):
            # Never compared with the source: nothing can change it, and each start would look at a thousand files.
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            place = self._place(folder)
            if not compileall.compile_dir(place, stripdir=self.folder, quiet=1, invalidation_mode=mode):
                raise SystemExit(f"{place}: not all of it could be compiled")

    def note_packages(self, libraries: set[Path]) -> None:
        """Note the Debian packages that libraries are of, as scanners for known weaknesses read it, with licences."""
        if shutil.which("dpkg-query") is None:
            return
        for name in sorted(set(_packages_of(libraries))):
            about = subprocess.run(["dpkg-query", "--status", name], capture_output=True, text=True, check=True).stdout
            self.write(f"/var/lib/dpkg/status.d/{name}", about)
            copyright_ = Path("/usr/share/doc", name, "copyright")
            if copyright_.exists():
                self.take_library(copyright_)

    def size(self) -> int:
        """Return the sum of the sizes of all files, in bytes."""
        return sum(path.lstat().st_size for path in self.folder.rglob("*") if not path.is_dir())


def _packages_of(libraries: set[Path]) -> Iterator[str]:
    for library in libraries:
        # Packages may list a file under /lib that lies in /usr/lib.
        for path in (os.path.realpath(library), str(library), os.path.realpath(library).removeprefix("/usr")):
            told = subprocess.run(["dpkg-query", "--search", path], capture_output=True, text=True, check=False)
            if told.returncode == 0:
                yield told.stdout.partition(":")[0]
                break


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("asked", metavar="REQUIREMENT", help="such as 'numbatch[server]'")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="becomes the root; must not exist")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    root = Root(arguments.folder)
    distributions = needed(arguments.asked)
    files = [*files_of_python(), *(file for one in distributions.values() for file in files_of(one))]
    for file in files:
        root.take(file)
    libraries = libraries_of(files)
    for library in libraries:
        if not library.is_relative_to(sys.prefix):
            root.take_library(library)
    root.note_packages(libraries)
    for path in (*FILES, *(str(path) for path in Path("/etc/ld.so.conf.d").glob("*.conf"))):
        root.take_library(Path(path))
    for name, text in ETC.items():
        root.write(f"/etc/{name}", text)
    for path, mode in FOLDERS.items():
        root.make_folder(path, mode)
    root.strip()
    root.compile()
    subprocess.run(["/sbin/ldconfig", "-r", arguments.folder], check=True)
    print(f"{arguments.asked}: {', '.join(sorted(distributions))}")
    print(f"{arguments.folder}: {root.size() / 1e6:.0f} MB")


if __name__ == "__main__":
    main()

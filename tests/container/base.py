"""What must be there before anything is built, made of Debian's packages if need be: an image, and Docker's plugins."""

import os
import shutil
import subprocess
from pathlib import Path

from container.docker import Docker, Failed
from support.dockerfile import TEXT

_SUITE = "trixie"
_LOCAL = f"numbatch-base:{_SUITE}"
_PACKAGES = "python3,python3-venv,ca-certificates,binutils"
_CERTIFICATES = Path("/usr/local/share/ca-certificates")


def base_image(docker: Docker, folder: Path) -> str:
    """Return the Dockerfile's own base where it can be had, else one that is made here with debootstrap."""
    (usual,) = (line.partition("=")[2] for line in TEXT.splitlines() if line.startswith("ARG BASE="))
    if docker.works("image", "inspect", usual) or docker.works("pull", "--quiet", usual):
        return usual
    if not docker.works("image", "inspect", _LOCAL):
        root = _debian(folder)
        packed = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", _LOCAL], env=docker.environment, stdin=packed.stdout, check=True)
        if packed.wait():
            raise Failed(f"{root} cannot be packed")
    return _LOCAL


def plugins(docker: Docker, folder: Path) -> None:
    """Make sure that there are Compose and what builds: Debian's, unpacked for our own daemon."""
    for plugin in ("compose", "buildx"):
        if docker.works(plugin, "version"):
            continue
        if "DOCKER_CONFIG" not in docker.environment:
            raise Failed(f"docker {plugin} is missing")
        root = _debian(folder)
        subprocess.run(["chroot", root, "sh", "-c", f"cd /tmp && apt-get -qq download docker-{plugin}"], check=True)
        (package,) = root.glob(f"tmp/docker-{plugin}_*.deb")
        unpacked = folder / plugin
        subprocess.run(["dpkg", "-x", package, unpacked], check=True)
        package.unlink()
        (found,) = unpacked.rglob(f"cli-plugins/docker-{plugin}")
        place = Path(docker.environment["DOCKER_CONFIG"]) / "cli-plugins"
        place.mkdir(exist_ok=True)
        shutil.copy2(found, place)
        docker(plugin, "version")


def _debian(folder: Path) -> Path:
    """Make a Debian with Python in a folder, once."""
    root, done = folder / "debian", folder / "debian.done"
    if done.exists():
        return root
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise Failed("no image can be pulled; as root, with debootstrap, one is made: apt-get install debootstrap")
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, root], check=True)
    # What this machine trusts, so that pip reaches an index from inside as it does from here.
    for certificate in _CERTIFICATES.glob("*.crt"):
        shutil.copy2(certificate, root / str(_CERTIFICATES).lstrip("/"))
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, stdout=subprocess.DEVNULL)
    for name in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives"):
        shutil.rmtree(root / name, ignore_errors=True)
    done.touch()
    return root

"""Those that are compared: one file each, which says how its users serve the networks fastest, and how they ask it.

A contender writes its models into a folder, and gives the command that serves them on a port; numbatch.loadtest asks.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benchmarks.grid import Network

ENVIRONMENTS = Path(".venv-peers")
# How far others' answers may be from the engine's, as a share of the largest number.
TOLERANCE = 1e-3


class Command(NamedTuple):
    """What serves the networks on a port: one or more processes, and variables of their environment."""

    processes: Sequence[Sequence[str]]
    environment: Mapping[str, str] = {}


# Folder, networks, port, number of workers.
Serve: TypeAlias = Callable[[Path, Sequence[Network], int, int], Command]
# Network, whether on a stream: by form, the name of the model to ask. The fastest form stands for the contender.
Forms: TypeAlias = Callable[[Network, bool], Mapping[str, str]]


def one_form(network: Network, _: bool) -> dict[str, str]:
    """Return the only form of a contender that has one."""
    return {"": network.name}


class Contender(NamedTuple):
    """One that is compared.

    Attributes
    ----------
    name, version : str
        As it is reported; without a version it is not installed here.
    serve : callable
        Writes what it needs and returns the command.
    protocol : str
        What it speaks, as numbatch.loadtest names it.
    tensors : callable
        A network to the names of its input and of its output.
    forms : callable
        The models to ask.
    streams : bool
        Whether it has streams; if not, calls stand for them.
    tolerance : float
        How far its answers may be from the engine's; 0: they are to have the same bits.
    computes : bool
        Whether its answers are the network's outputs; if not, each is to have the bits of the first one.
    """

    name: str
    version: str
    serve: Serve
    protocol: str
    tensors: Callable[[Network], tuple[str, str]]
    forms: Forms = one_form
    streams: bool = True
    tolerance: float = 0.0
    computes: bool = True


NAMES = ("echo", "numbatch", "numbatch_oip", "mlserver", "ray_serve")


def contenders(names: Iterable[str]) -> list[Contender]:
    """Return those of these names."""
    return [importlib.import_module(f"benchmarks.service.contenders.{name}").CONTENDER for name in names]


def installed_version(environment: str, package: str) -> str:
    """Return the version of a package in a peer's environment; "" if it is not there."""
    for folder in (ENVIRONMENTS / environment).glob(f"lib/python*/site-packages/{package}-*.dist-info"):
        return folder.name.removesuffix(".dist-info").rpartition("-")[2]
    return ""

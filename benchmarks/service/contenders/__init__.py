"""Those that are compared: one file each, which says how its users serve the networks fastest, and how they ask it.

A contender writes its models into a folder, and gives the command that serves them on a port and the bytes to send.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benchmarks.grid import Array, Network

ENVIRONMENTS = Path(".venv-peers")


class Command(NamedTuple):
    """What serves the networks on a port: one or more processes, and variables of their environment."""

    processes: Sequence[Sequence[str]]
    environment: Mapping[str, str] = {}


class Question(NamedTuple):
    """How a network is asked.

    Attributes
    ----------
    method : str
        The gRPC method, "/service/method".
    request : callable
        Inputs to the bytes of the message.
    streamed : bool
        Whether the method is a stream of such messages.
    """

    method: str
    request: Callable[[Array], bytes]
    streamed: bool = False


# Folder, networks, port, number of workers.
Serve: TypeAlias = Callable[[Path, Sequence[Network], int, int], Command]
# Network, whether on a stream: the forms that there are, the fastest of which stands for the contender.
Ask: TypeAlias = Callable[[Network, bool], Mapping[str, Question]]


class Contender(NamedTuple):
    """One that is compared.

    Attributes
    ----------
    name, version : str
        As it is reported; without a version it is not installed here.
    serve : callable
        Writes what it needs and returns the command.
    ask : callable
        Returns the forms of a request. None of them is streamed: it has no such method, and calls stand for it.
    outputs : callable
        The bytes of an answer, and whether they are from a stream, to the outputs in one row.
    exact : bool
        Whether every answer is to have the same bytes.
    computes : bool
        Whether its answers are the network's outputs.
    """

    name: str
    version: str
    serve: Serve
    ask: Ask
    outputs: Callable[[bytes, bool], Array]
    exact: bool = False
    computes: bool = True


NAMES = ("echo", "numbatch", "mlserver", "ray_serve")


def contenders(names: Iterable[str]) -> list[Contender]:
    """Return those of these names."""
    return [importlib.import_module(f"benchmarks.service.contenders.{name}").CONTENDER for name in names]


def installed_version(environment: str, package: str) -> str:
    """Return the version of a package in a peer's environment; "" if it is not there."""
    for folder in (ENVIRONMENTS / environment).glob(f"lib/python*/site-packages/{package}-*.dist-info"):
        return folder.name.removesuffix(".dist-info").rpartition("-")[2]
    return ""

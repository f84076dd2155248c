"""The public face: what is exported, and that the two clients are one in all but waiting."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

import numbatch.client
import numbatch.wire.errors
from numbatch.client import AsyncClient, Client

METHODS = sorted(name for name, member in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_"))


def test_everything_public_is_exported_in_order() -> None:
    errors = {name for name, _ in inspect.getmembers(numbatch.wire.errors, inspect.isclass) if name.endswith("Error")}
    assert set(numbatch.client.__all__) == {"Client", "AsyncClient", "Reason", "Tls"} | errors
    assert numbatch.client.__all__ == sorted(numbatch.client.__all__)
    assert all(hasattr(numbatch.client, name) for name in numbatch.client.__all__)


def test_both_clients_have_the_same_methods() -> None:
    twins = [name for name, _ in inspect.getmembers(AsyncClient, inspect.isfunction) if not name.startswith("_")]
    assert sorted(twins) == METHODS


@pytest.mark.parametrize("name", METHODS)
def test_twins_have_the_same_documentation(name: str) -> None:
    documentation = inspect.getdoc(getattr(Client, name))
    assert documentation
    assert inspect.getdoc(getattr(AsyncClient, name)) == documentation


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_twins_have_the_same_signature(name: str) -> None:
    assert _signature(getattr(Client, name)) == _signature(getattr(AsyncClient, name))


@pytest.mark.parametrize("name", ["_encode", *(name for name in METHODS if name not in ("close", "stream"))])
def test_twins_differ_only_in_waiting(name: str) -> None:
    assert _without_waiting(getattr(Client, name)) == _without_waiting(getattr(AsyncClient, name))


def _signature(method: Callable[..., Any]) -> str:
    signature = inspect.signature(method)
    if (
        method.__name__ == "stream"
    ):  # the one whose types differ: AsyncClient takes and gives asynchronous iterables too
        bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
        signature = inspect.Signature(bare)
    return str(signature)


def _without_waiting(method: Callable[..., Any]) -> str:
    source = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(method))))
    for waiting, plain in {"async ": "", "await ": "", "asyncio.sleep": "time.sleep"}.items():
        source = source.replace(waiting, plain)
    return source

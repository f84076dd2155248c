"""Servers as processes of their own, of which one is killed: no caller notices."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.cli.server_process import ServerProcess
from numbatch.client import AsyncClient, Client
from support.server import write_model
from support.tiny import tiny_model


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, tiny_model())
    return folder


@pytest.fixture(scope="module")
def survivor(repository: Path) -> Iterator[ServerProcess]:
    with ServerProcess(repository) as server:
        yield server


def x(i: int) -> Any:
    return np.full((1 + i % 3, 2), i, np.float32)


EXPECTED = [(2 * x(i)).tolist() for i in range(200)]


def source(victim: ServerProcess, stream: int) -> Iterator[Any]:
    for i in range(200):
        if (stream, i) == (0, 100):
            os.kill(victim.pid, signal.SIGKILL)
        yield x(i)


def test_streams_and_calls_of_a_client_go_on(repository: Path, survivor: ServerProcess) -> None:
    with ServerProcess(repository) as victim, Client([victim.address, survivor.address]) as client:
        client.wait_ready()
        with ThreadPoolExecutor(5) as threads:  # four streams: they take turns over the servers, as calls do
            streams = [threads.submit(list, client.stream("tiny", source(victim, i))) for i in range(4)]
            calls = threads.submit(lambda: [client.infer("tiny", x(i)).tolist() for i in range(200)])
            for stream in streams:
                assert [result.tolist() for result in stream.result(40)] == EXPECTED
            assert calls.result(40) == EXPECTED


def test_streams_and_calls_of_an_asynchronous_client_go_on(repository: Path, survivor: ServerProcess) -> None:
    async def story(victim: ServerProcess) -> None:
        async with AsyncClient([victim.address, survivor.address]) as client:

            async def stream(number: int) -> list[Any]:
                return [result.tolist() async for result in client.stream("tiny", source(victim, number))]

            async def calls() -> list[Any]:
                return [(await client.infer("tiny", x(i))).tolist() for i in range(200)]

            await client.wait_ready()
            assert await asyncio.gather(*(stream(i) for i in range(4)), calls()) == [EXPECTED] * 5

    with ServerProcess(repository) as victim:
        asyncio.run(story(victim))

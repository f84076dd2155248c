"""KServe's client, as it comes, against a server of ours; `make test-clients` makes an environment for it."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).random((3, 64), np.float32) * np.float32(16)


class Addresses(NamedTuple):
    """Where the server answers."""

    grpc: str
    http: str


@pytest.fixture(scope="module")
def server() -> Iterator[Addresses]:
    listen = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    # The program of another environment: what it needs and what the client needs need not fit together.
    command = [os.environ["NUMBATCH"], "serve", "--json", "--model-repository", str(ROOT / "models"), *listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Addresses(ready["address"], f"http://{ready['http_address']}")
        process.terminate()


def request(*, binary: bool) -> Any:
    pixels = InferInput("pixels", list(X.shape), "FP32")
    pixels.set_data_from_numpy(X, binary_data=binary)
    return InferRequest("digits", [pixels], request_id="one")


def test_over_http_it_finds_server_and_model_ready(server: Addresses) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))

    async def ask() -> list[bool]:
        answers = [await client.is_server_live(server.http), await client.is_server_ready(server.http)]
        return [*answers, await client.is_model_ready(server.http, "digits")]

    assert asyncio.run(ask()) == [True, True, True]


def test_over_grpc_it_finds_server_and_model_ready(server: Addresses) -> None:
    async def ask() -> list[bool]:
        client = InferenceGRPCClient(server.grpc)
        return [await client.is_server_live(), await client.is_server_ready(), await client.is_model_ready("digits")]

    assert asyncio.run(ask()) == [True, True, True]


def test_every_form_gives_the_same_bits(server: Addresses) -> None:
    async def ask() -> list[Any]:
        rest, grpc = InferenceRESTClient(RESTConfig(protocol="v2")), InferenceGRPCClient(server.grpc)
        answers = [
            await rest.infer(server.http, request(binary=binary), model_name="digits") for binary in (True, False)
        ]
        answers.append(await grpc.infer(request(binary=True)))
        return [answer.outputs[0].as_numpy().astype(np.float32).tobytes() for answer in answers]

    one, *others = asyncio.run(ask())
    assert len(one) == 4 * 3 * 10
    assert others == [one, one]

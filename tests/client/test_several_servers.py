"""Several servers: calls take turns over those that are ready, and nobody notices one that ends."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from numbatch.client import Client, DeadlineExceededError, UnavailableError
from numbatch.models import Dense, Input, Sequential
from support.both_clients import Bench
from support.fake_server import INFER, FakeServer
from support.server import RunningServer, running_server

X = np.ones((1, 2), np.float32)


# Each server has a model of its own under the same name, so that answers tell who gave them.
def model_of(number: int) -> Any:
    return Sequential([Input((2,)), Dense(1, weights=[np.full((2, 1), number / 2)], use_bias=False)]).to_message("who")


class Servers:
    """Real servers in this process; a number is a server, whose answers are that number."""

    def __init__(self, count: int = 3) -> None:
        self._stacks = [ExitStack() for _ in range(count)]
        self.running = [self._start(number) for number in range(count)]
        self.addresses = [server.address for server in self.running]

    def stop(self, number: int) -> None:
        """End a server as SIGTERM does: what it has begun is finished."""
        self._stacks[number].close()

    def start_again(self, number: int, **config: Any) -> None:
        self.running[number] = self._start(number, listen=self.addresses[number], **config)

    def _start(self, number: int, **config: Any) -> RunningServer:
        context = running_server([model_of(number)], shutdown_grace_s=10, **config)
        return self._stacks[number].enter_context(context)

    def close(self) -> None:
        for stack in self._stacks:
            stack.close()


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


def until(client: Any, expected: set[int]) -> None:
    """Call until these servers answer; no call may fail meanwhile."""
    for _ in range(1000):
        if answering(client, 12) == expected:
            return
    raise AssertionError(f"not answered by {expected}")


def answering(client: Any, calls: int = 30) -> set[int]:
    return {int(client.call("infer", "who", X).item()) for _ in range(calls)}


def test_all_servers_get_calls(bench: Bench, servers: Servers) -> None:
    until(bench.client(servers.addresses), {0, 1, 2})


def test_a_server_that_ends_is_left_out_and_comes_back(bench: Bench, servers: Servers) -> None:
    client = bench.client(",".join(servers.addresses))
    until(client, {0, 1, 2})
    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(servers.stop, 1)
        until(client, {0, 2})
        ending.result(20)
        servers.start_again(1)
        until(client, {0, 1, 2})


def test_a_server_that_still_loads_its_models_gets_no_calls(bench: Bench, servers: Servers) -> None:
    servers.stop(2)
    servers.start_again(2, loaded=False)
    client = bench.client(servers.addresses)
    until(client, {0, 1})
    loading = servers.running[2]
    loading.run(loading.server.load_models())
    until(client, {0, 1, 2})


def test_where_none_is_ready_the_error_says_so(bench: Bench) -> None:
    with running_server(loaded=False) as one, running_server(loaded=False) as other:
        addresses = f"{one.address},{other.address}"
        client = bench.client(addresses)
        assert client.call("is_ready") is False
        with pytest.raises(UnavailableError, match=f"no server of {addresses} is ready; wait_ready"):
            client.call("infer", "who", X)
        with pytest.raises(DeadlineExceededError, match=f"no server of {addresses} was ready within 0.2 s .DEADLINE"):
            client.call("wait_ready", timeout=0.2)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(client.call, "wait_ready", timeout=20)
            other.run(other.server.load_models())
            waiting.result(20)
        assert client.call("is_ready")


def test_a_name_stands_for_all_its_servers(bench: Bench) -> None:
    with running_server([model_of(1)], loaded=False) as running:
        port = running.address.rpartition(":")[2]
        client = bench.client(f"dns:///localhost:{port}")
        assert client.call("is_ready") is False
        running.run(running.server.load_models())
        client.call("wait_ready")
        assert answering(client, 3) == {1}


def test_one_server_is_asked_as_it_is_ready_or_not(bench: Bench) -> None:
    with running_server(loaded=False) as loading:
        client = bench.client(loading.address)
        assert client.call("list_models") == []
        with pytest.raises(DeadlineExceededError, match="was not ready within"):
            client.call("wait_ready", timeout=0.2)


def test_a_server_without_the_health_service_counts_as_ready(bench: Bench) -> None:
    one, other = bench.server(), bench.server()  # they have Check, which tells a caller, but not Watch
    client = bench.client([one.address, other.address])
    for _ in range(1000):
        client.call("infer", "double", [1, 2])
        if one.calls.count(INFER) and other.calls.count(INFER):
            break
    else:
        raise AssertionError("one of the servers got no call")


def test_calls_in_progress_go_on_elsewhere_when_a_server_is_cut_off() -> None:
    with FakeServer() as first, FakeServer() as second:
        with Client([first.address, second.address]) as client, ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(client.infer, "double", [i, i]) for i in range(400)]
            assert first.began[INFER].wait(10)
            first.stop()
            assert [call.result(30).tolist() for call in calls] == [[2 * i, 2 * i] for i in range(400)]


def test_a_stream_goes_on_elsewhere_when_its_server_ends(bench: Bench, servers: Servers) -> None:
    ended = list[int]()

    def source() -> Iterator[Any]:
        for i in range(60):
            if i % 20 == 10:  # one server after the other ends; it finishes what it has read
                servers.stop(len(ended))
                ended.append(len(ended))
                if len(ended) == 3:
                    servers.start_again(0)
            yield X * i

    results = bench.client(servers.addresses).stream("who", source(), window=4)
    assert len(results) == 60
    answered_by = [result.item() / i for i, result in enumerate(results) if i]
    assert set(answered_by) <= {0.0, 1.0, 2.0}
    assert len(set(answered_by)) > 1

"""Computing that goes wrong: a batch that raises is that batch's matter, a thread that ends is the process's."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from numbatch.batching.queue import Queue
from numbatch.client import Client
from numbatch.engine import LoadedModel
from numbatch.wire.errors import InternalError
from numbatch.wire.reasons import Reason
from support.aftermath import settled, unharmed_server
from support.http import get
from support.raw_calls import raw_calls
from support.server import running_server
from support.tiny import tiny_model


def test_a_batch_that_raises_fails_alone_and_the_next_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = LoadedModel.compute

    def raise_at_13(self: LoadedModel, selection: Any, x: Any, *arguments: Any, **options: Any) -> None:
        if self.name == "poisoned" and (x == 13).any():
            raise MemoryError("no memory for this")
        compute(self, selection, x, *arguments, **options)

    def be_told(number: int) -> None:
        with pytest.raises(InternalError) as failed:
            client.infer("poisoned", [13, number])
        assert failed.value.reason is Reason.INTERNAL
        assert "memory" not in str(failed.value)

    def be_answered(number: int) -> None:
        assert client.infer("tiny", [number, 0]).tolist() == [2 * number, 0]

    with running_server([tiny_model(), tiny_model("poisoned")], http_listen="127.0.0.1:0") as server:
        monkeypatch.setattr(LoadedModel, "compute", raise_at_13)
        with unharmed_server(server), Client(server.address) as client, ThreadPoolExecutor(8) as threads:
            # On a compute thread at first, then on the event loop, where small networks run once their cost is known.
            for _ in range(2):
                list(threads.map(lambda ask, number: ask(number), [be_told, be_answered] * 20, range(40)))
                assert client.infer("poisoned", [1, -1]).tolist() == [2, 0]


def test_a_compute_thread_that_ends_takes_the_liveness_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bug(BaseException):
        """What nothing in the batcher can expect."""

    def take(*_: object) -> None:
        raise Bug

    with running_server([tiny_model()], http_listen="127.0.0.1:0") as server, raw_calls(server.address) as calls:
        http = server.server.http_address
        assert (get(http, "/livez").status, calls.health("liveness")) == (200, "SERVING")
        monkeypatch.setattr("threading.excepthook", lambda _: None)
        with monkeypatch.context() as broken:
            broken.setattr(Queue, "take", take)
            with pytest.raises(Exception, match="Deadline"):
                calls.infer("tiny", [1, 1], timeout=0.5)
        settled(lambda: calls.health("liveness") == "NOT_SERVING", "the liveness is gone")
        assert get(http, "/livez").status == 503
        assert calls.health("startup") == "SERVING"

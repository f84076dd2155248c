"""What is read when somebody asks: queues, models, whether the server is ready, what was compiled."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest

from numbatch.batching.queue import ModelStatistics, QueueStatistics
from numbatch.repository.registry import Registry
from numbatch.serving.observability.labels import VersionLabels
from numbatch.serving.observability.levels import Levels, Sources
from numbatch.serving.observability.metrics import Metrics
from support.reports import Samples, samples
from support.tiny import TINY, tiny_model

NOTHING = QueueStatistics({}, 0)


@dataclass
class Server:
    """What the levels are read from, as a test says it is."""

    registry: Registry = field(default_factory=lambda: Registry(None, load=lambda *_, **__: TINY))
    ready: bool = True
    in_progress: int = 0
    open_streams: int = 0
    queues: QueueStatistics = NOTHING
    compiled: int = 0
    most_labels: int = 1000

    def __post_init__(self) -> None:
        self._prometheus = CollectorRegistry()
        sources = Sources(
            snapshot=lambda: self.registry.snapshot,
            ready=lambda: self.ready,
            calls=self,
            queues=lambda: self.queues,
            compilations=lambda: self.compiled,
        )
        self._levels = Levels(Metrics(self._prometheus), sources, VersionLabels(lambda *_: True, self.most_labels))

    def samples(self, *names: str) -> Samples:
        self._levels.refresh()
        return samples(generate_latest(self._prometheus).decode(), [f"numbatch_{name}" for name in names])


def test_readiness_and_calls_are_as_they_are_now() -> None:
    server = Server(ready=False, in_progress=3, open_streams=2)
    names = "ready", "calls_in_progress", "open_streams"
    assert list(server.samples(*names).values()) == [3, 2, 0]
    server.ready, server.in_progress = True, 0
    assert list(server.samples(*names).values()) == [0, 2, 1]


def test_a_queue_that_is_gone_is_empty() -> None:
    names = "queued_requests", "queued_rows", "queued_bytes", "in_flight_requests", "in_flight_bytes"
    server = Server(queues=QueueStatistics({"digits": ModelStatistics(2, 64, 16_384, 5)}, 20_000))
    assert server.samples(*names) == {
        ("numbatch_queued_requests", ("digits",)): 2,
        ("numbatch_queued_rows", ("digits",)): 64,
        ("numbatch_queued_bytes", ("digits",)): 16_384,
        ("numbatch_in_flight_requests", ("digits",)): 5,
        ("numbatch_in_flight_bytes", ()): 20_000,
    }
    server.queues = NOTHING
    assert set(server.samples(*names).values()) == {0}


def test_a_version_is_in_one_state_and_its_weights_count_while_it_is_ready() -> None:
    server = Server()
    server.registry.load_from_message(tiny_model())
    server.registry.load_from_message(tiny_model())
    names = "model_version_state", "model_weights_bytes", "model_default_version"
    ready = server.samples(*names)
    states = {labels for (name, labels), value in ready.items() if name.endswith("state") and value}
    assert states == {("tiny", "ready", "1"), ("tiny", "ready", "2")}
    assert ready["numbatch_model_weights_bytes", ("tiny", "2")] == TINY.summary.packed_bytes
    assert ready["numbatch_model_default_version", ("tiny",)] == 2

    server.registry.unload("tiny")
    unloaded = server.samples(*names)
    states = {labels for (name, labels), value in unloaded.items() if name.endswith("state") and value}
    assert states == {("tiny", "unloaded", "1"), ("tiny", "unloaded", "2")}
    assert unloaded["numbatch_model_weights_bytes", ("tiny", "2")] == 0
    assert unloaded["numbatch_model_default_version", ("tiny",)] == 0


def test_versions_and_models_beyond_the_bound_are_told_together() -> None:
    server = Server(most_labels=1)
    for name in ("a", "a", "b", "c"):
        server.registry.load_from_message(tiny_model(name))
    server.registry.unload("c")
    server.queues = QueueStatistics({name: ModelStatistics(1, 10, 100, 2) for name in "abc"}, 0)
    other, each = "(other)", TINY.summary.packed_bytes
    found = server.samples("model_version_state", "model_weights_bytes", "model_default_version", "queued_rows")
    assert {key: value for key, value in found.items() if value} == {
        ("numbatch_model_version_state", ("a", "ready", "1")): 1,
        ("numbatch_model_version_state", ("a", "ready", other)): 1,
        ("numbatch_model_version_state", (other, "ready", other)): 1,
        ("numbatch_model_version_state", (other, "unloaded", other)): 1,
        ("numbatch_model_weights_bytes", ("a", "1")): each,
        ("numbatch_model_weights_bytes", ("a", other)): each,
        ("numbatch_model_weights_bytes", (other, other)): each,
        ("numbatch_model_default_version", ("a",)): 2,
        ("numbatch_queued_rows", ("a",)): 10,
        ("numbatch_queued_rows", (other,)): 20,
    }


def test_versions_that_come_and_go_make_no_series_without_end() -> None:
    server = Server(most_labels=3)
    for _ in range(20):
        server.registry.load_from_message(tiny_model())
        server.samples()
    assert len(server.samples("model_weights_bytes")) == 4


def test_compilations_count_as_late_from_the_moment_that_the_server_was_seen_ready() -> None:
    server = Server(ready=False, compiled=5)
    names = "kernel_compilations_total", "kernel_compilations_after_ready_total"
    assert list(server.samples(*names).values()) == [5, 0]
    server.compiled, server.ready = 7, True
    assert list(server.samples(*names).values()) == [7, 0]
    assert list(server.samples(*names).values()) == [7, 0]
    server.compiled, server.ready = 8, False  # it drains, and still was ready
    assert list(server.samples(*names).values()) == [8, 1]

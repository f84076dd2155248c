"""How late the event loop is, on a loop whose time the test tells."""

from collections.abc import Callable

import pytest

from numbatch.serving.observability.heartbeat import BEAT_S, Heartbeat


class FakeTimer:
    """A timer that says whether it was cancelled."""

    was_cancelled = False

    def cancel(self) -> None:
        self.was_cancelled = True


class FakeLoop:
    """An event loop with one timer."""

    def __init__(self) -> None:
        self.now = 10.0
        self.due = 0.0
        self.timer = FakeTimer()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        self.due, self._callback, self.timer = when, callback, FakeTimer()
        return self.timer

    def come_to_the_timer(self, late_s: float) -> None:
        self.now = self.due + late_s
        self._callback()


def test_each_beat_tells_how_late_it_came_and_the_next_is_due_after_it() -> None:
    loop, beats = FakeLoop(), list[tuple[float, float]]()
    Heartbeat(loop, lambda *beat: beats.append(beat)).start()
    assert loop.due == 10.0 + BEAT_S
    for late_s in (0.0, 0.5, -0.001):  # a loop may be early by its clock's resolution
        loop.come_to_the_timer(late_s)
        assert loop.due == loop.now + BEAT_S
    assert beats == [(0.0, 10.25), (0.5, 11.0), (0.0, 11.249)]


def test_a_beat_that_fails_is_not_the_last() -> None:
    def fail(*_: float) -> None:
        raise RuntimeError

    loop = FakeLoop()
    Heartbeat(loop, fail).start()
    with pytest.raises(RuntimeError):
        loop.come_to_the_timer(0)
    assert loop.due == loop.now + BEAT_S


def test_it_stops() -> None:
    loop = FakeLoop()
    heartbeat = Heartbeat(loop, lambda *_: None)
    heartbeat.stop()  # before it began
    heartbeat.start()
    heartbeat.stop()
    heartbeat.stop()
    assert loop.timer.was_cancelled

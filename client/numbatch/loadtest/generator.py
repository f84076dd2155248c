"""One process's part of a step: requests go out by the pacer, times go to the recorder, answers to the judge.

`grpc.aio` on an event loop of its own costs less for a call than gRPC's threads do. Messages are bytes already and
answers are compared as bytes, so nothing is parsed: what is left is gRPC's own cost.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count as count_up
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from numbatch.loadtest.alarm import Alarm
from numbatch.loadtest.arrivals import Chunks, Schedule, poisson, recorded, uniform
from numbatch.loadtest.cpu import CpuClock
from numbatch.loadtest.judge import Judge
from numbatch.loadtest.library import Library
from numbatch.loadtest.orders import Found, Order
from numbatch.loadtest.outcomes import outcome_of
from numbatch.loadtest.pacer import Pacer
from numbatch.loadtest.protocol import Protocol
from numbatch.loadtest.recorder import Recorder
from numbatch.loadtest.streams import FullStream

_TICK_S = 0.25
# A schedule that is behind is caught up with, but answers are read now and then.
_SENT_AT_ONCE = 16
# How long answers are waited for once somebody has lost patience.
_LAST_ANSWERS_S = 1.0
# A caller whose server is not there asks again so often.
_PATIENCE_S = 0.01

Metadata = tuple[tuple[str, str], ...] | None
Tell = Callable[[str, Any], None]


class Generator:
    """Sends what an order says. Times are seconds since its start.

    Parameters
    ----------
    order : Order
        What to send.
    library : Library
        The messages.
    channels : sequence
        Channels of `grpc.aio`, which take turns.
    protocol : Protocol
        What the server speaks.
    metadata : tuple of (str, str), or None
        Sent with every call.
    """

    def __init__(
        self, order: Order, library: Library, channels: Sequence[Any], protocol: Protocol, metadata: Metadata = None
    ) -> None:
        self._order, self._library, self._metadata = order, library, metadata
        streamed = order.scenario in ("stream", "offline")
        if streamed:
            self._calls = [channel.stream_stream(protocol.stream_method) for channel in channels]
        else:
            self._calls = [channel.unary_unary(protocol.infer_method) for channel in channels]
        self._caller = self._keep_stream if streamed else self._call_again_and_again
        self._pacer = Pacer(order.warmup_s, order.end_s - order.warmup_s, order.count)
        self._recorder = Recorder(order.warmup_s, order.end_s, has_schedule=order.has_schedule)
        self._judge = Judge(library, protocol, self._recorder, streamed=streamed)
        self._cpu = CpuClock(order.warmup_s, order.end_s)
        self._numbers = count_up(order.index, order.of)
        self._counted = 0  # requests sent that count
        self._overrun = False
        self._stopped_s: float | None = None
        self._work: asyncio.Task[None] | None = None

    async def run(self, tell: Tell) -> Found:
        """Carry the order out; `tell` is told "tick" some times a second, with what is new."""
        _practise()
        # What is there stays: nothing of it is looked through while times are taken.
        gc.collect()
        gc.freeze()
        await self._wait_for_start()
        self._cpu.look(self._now())
        ticker = asyncio.create_task(self._tick(tell))
        self._work = asyncio.create_task(self._all())
        try:
            await self._work
        except asyncio.CancelledError:
            if self._stopped_s is None:
                raise
        finally:
            ticker.cancel()
            gc.unfreeze()
        self._cpu.look(self._now())
        tell("tick", self._news())
        return self._found()

    def stop(self) -> None:
        """End early: send no more, wait a moment for what is under way, and forget what is not answered then."""
        if self._stopped_s is not None:
            return
        self._stopped_s = max(self._now(), 0.0)
        self._pacer = replace(self._pacer, duration_s=self._stopped_s - self._pacer.warmup_s)
        self._recorder.end = self._stopped_s
        asyncio.get_running_loop().call_later(_LAST_ANSWERS_S, self._give_up)

    def _give_up(self) -> None:
        if self._work is not None:
            self._work.cancel()

    async def _wait_for_start(self) -> None:
        alarm = Alarm()
        # Never before: event loops may wake a little early, and what starts before the start does not count.
        while (now := self._now()) < 0:
            await alarm.wait(-now)
        alarm.close()

    async def _all(self) -> None:
        if self._order.has_schedule:
            await self._open_loop()
        else:
            await _all(self._caller(number) for number in range(self._order.callers))

    async def _open_loop(self) -> None:
        schedule = Schedule(_arrivals(self._order), self._order.index, self._order.of)
        alarm = Alarm()
        pending: set[asyncio.Task[bool]] = set()
        try:
            await self._keep_to(schedule, alarm, pending)
            if pending:
                await asyncio.wait(pending)
        finally:
            alarm.close()
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _keep_to(self, schedule: Schedule, alarm: Alarm, pending: set[asyncio.Task[bool]]) -> None:
        at_once = 0
        while (arrival := schedule.take()) is not None:
            number, due = arrival
            pace = self._pacer.pace(self._now(), self._counted, due)
            if pace.stop:
                break
            if pace.wait_s > 0:
                at_once = 0
                await alarm.wait(pace.wait_s)
            elif (at_once := at_once + 1) % _SENT_AT_ONCE == 0:
                await asyncio.sleep(0)
            if len(pending) >= self._order.max_in_flight:
                self._overrun = True
                break
            self._note_start(due)
            task = asyncio.create_task(self._request(number, due))
            pending.add(task)
            task.add_done_callback(pending.discard)

    async def _call_again_and_again(self, _: int) -> None:
        while (taken := self._take()) is not None:
            number, due = taken
            if not await self._request(number, due):
                await asyncio.sleep(_PATIENCE_S)

    async def _request(self, number: int, due: float) -> bool:
        """Send one request; return whether there was a server."""
        message = self._library.message(number)
        call = self._calls[number // self._order.of % len(self._calls)]
        request = self._library.request(message)
        sent = self._now()
        timeout_s = self._order.timeout_s - (sent - due)
        if timeout_s <= 0:
            self._recorder.not_ok("deadline", due, sent, sent, "DEADLINE_EXCEEDED: it could not be sent in time")
            return True
        try:
            answer = await call(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as failed:
            code = failed.code()
            self._judge.failed(code.value[0], f"{code.name}: {failed.details() or ''}", due, sent, self._now())
            return outcome_of(code.value[0]) != "unavailable"
        except asyncio.CancelledError:
            self._forget(due)
            raise
        self._judge.answered(message, answer, due, sent, self._now())
        return True

    async def _keep_stream(self, caller: int) -> None:
        """Keep a stream full; one that breaks is followed by another."""
        method = self._calls[caller % len(self._calls)]

        def take() -> tuple[int, float] | None:
            taken = self._take()
            return taken and (self._library.message(taken[0]), taken[1])

        while not self._pacer.pace(self._now(), self._counted).stop:
            stream = FullStream(method(metadata=self._metadata), take, self._library.request, self._judge, self._now)
            try:
                if not await stream.run(self._order.window, self._order.timeout_s):
                    await asyncio.sleep(_PATIENCE_S)
            except asyncio.CancelledError:
                for start in stream.not_answered():
                    self._forget(start)
                raise

    def _take(self) -> tuple[int, float] | None:
        """Return the number of a request that starts now; None: no more."""
        due = self._now()
        if self._pacer.pace(due, self._counted).stop:
            return None
        self._note_start(due)
        return next(self._numbers), due

    def _forget(self, due: float) -> None:
        """Do as if a request that nobody waits for any more had not been sent."""
        self._counted -= self._pacer.counts(due)

    def _note_start(self, due: float) -> None:
        self._recorder.sent(due)
        self._counted += self._pacer.counts(due)

    def _now(self) -> float:
        return time.monotonic() - self._order.start_s

    async def _tick(self, tell: Tell) -> None:
        due = 0.0
        while True:
            due = min(self._cpu.next_look(due), due + _TICK_S)
            await asyncio.sleep(max(due - self._now(), 0))
            self._cpu.look(self._now())
            tell("tick", self._news())

    def _news(self) -> dict[str, Any]:
        seconds = self._recorder.tick()
        return {"now_s": self._now(), "in_flight": self._recorder.in_flight, "seconds": seconds}

    def _found(self) -> Found:
        recorder = self._recorder
        cpu_s, cpu_of_s = self._cpu.used_s
        return Found(
            latency=recorder.latency.to_json(),
            service=recorder.service.to_json(),
            lag=recorder.lag.to_json(),
            not_ok=recorder.not_ok_latency.to_json(),
            refused=recorder.refused.to_json(),
            counts=dict(recorder.counts),
            texts=dict(recorder.texts.counts),
            sent=self._counted,
            all_ok=recorder.all_ok,
            all_answered=recorder.all_answered,
            requests_in_time=recorder.requests_in_time,
            rows_in_time=recorder.rows_in_time,
            last_done_s=recorder.last_done,
            open_at_begin=recorder.open_at_begin,
            open_at_end=recorder.open_at_end,
            cpu_s=cpu_s,
            cpu_of_s=cpu_of_s,
            overrun=self._overrun,
            stopped_s=self._stopped_s,
            mismatches=self._judge.mismatches,
        )


def _practise() -> None:
    """Do once what the first tick would do for the first time: NumPy takes some milliseconds for that."""
    recorder = Recorder(0.0, 1.0, has_schedule=True)
    recorder.sent(0.0)
    recorder.ok(0.0, 0.0, 0.0, 1)
    recorder.not_ok("failed", 0.0, 0.0, 0.0, "")
    recorder.tick()


async def _all(coroutines: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


def _arrivals(order: Order) -> Chunks:
    if order.scenario == "replay":
        return recorded(np.load(Path(order.arrivals), allow_pickle=False), order.speed)
    assert order.rate is not None
    return uniform(order.rate) if order.arrivals == "uniform" else poisson(order.rate, order.seed)

"""The load generator: a process of its own that sends prepared bytes and tells what came back.

It reads orders from standard input, a JSON object a line, and answers each with one. Requests are bytes that are
there already, and nothing is parsed: gRPC's own cost is all that there is. Of the ways to call, `grpc.aio` on uvloop
costs the least for a call (README.md). Connections stay open between orders.

An order is an `Order` as a dictionary; the answer an `Outcome`.
"""

import asyncio
import dataclasses
import gc
import itertools
import json
import random
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import uvloop

_MAX_MESSAGE_BYTES = 64 << 20
# Distinct answers that are kept for a look at what they say; there should be one.
_KEPT_ANSWERS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What to send.

    Attributes
    ----------
    address, method : str
        Where to.
    request : str
        The file with the bytes of the message.
    in_flight, connections : int
        Messages at once, and what they are spread over. With a rate: connections only.
    streamed : bool
        Whether all go on one stream.
    seconds, warm_up_s : float
        How long; what comes back in the warm-up is not counted, nor what comes back later.
    rate_per_s : float
        0: the next message is sent when one is answered. Else messages are sent at random times, so many a second,
        whatever comes back, and latency counts from the time when each was to be sent.
    deadline_s : float or None
        Of each message.
    """

    address: str
    method: str
    request: str
    seconds: float
    in_flight: int = 1
    connections: int = 1
    streamed: bool = False
    warm_up_s: float = 0.0
    rate_per_s: float = 0.0
    deadline_s: float | None = None


class Outcome:
    """What came back: by status the latencies, and the distinct answers."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what came back so far: the warm-up."""
        self.latencies_s: dict[str, list[float]] = {"OK": []}
        self.answers: dict[bytes, int] = {}
        self.lags_s: list[float] = []
        self._began, self._cpu_began = time.perf_counter(), time.process_time()
        self.seconds = self.cpu_s = 0.0
        self.other_answers = 0

    def end(self) -> None:
        """Take the time."""
        self.seconds = time.perf_counter() - self._began
        self.cpu_s = time.process_time() - self._cpu_began

    def ok(self, latency_s: float, answer: bytes) -> None:
        """Take note of an answer."""
        self.latencies_s["OK"].append(latency_s)
        if answer in self.answers or len(self.answers) < _KEPT_ANSWERS:
            self.answers[answer] = self.answers.get(answer, 0) + 1
        else:
            self.other_answers += 1

    def failed(self, latency_s: float, code: str) -> None:
        """Take note of a status other than OK."""
        self.latencies_s.setdefault(code, []).append(latency_s)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it: times in microseconds."""
        return {
            "seconds": self.seconds,
            "cpu_s": self.cpu_s,
            "statuses": {code: _summary(found) for code, found in self.latencies_s.items() if found},
            "send_lag_p99_us": _percentile_us(self.lags_s, 0.99),
            "answers": [answer.hex() for answer in self.answers],
            "other_answers": self.other_answers,
        }


class Generator:
    """Carries out orders on the running event loop."""

    def __init__(self) -> None:
        self._channels: dict[tuple[str, int], grpc.aio.Channel] = {}

    async def run(self, order: Order) -> Outcome:
        """Carry out one order."""
        request = _read(order.request)
        outcome = Outcome()
        if order.rate_per_s:
            gc.collect()
            await self._open_loop(order, request, outcome)
            return outcome
        turn = self._stream if order.streamed else self._closed_loop
        if order.warm_up_s:
            await turn(order, request, outcome, order.warm_up_s)
        gc.collect()
        outcome.clear()
        await turn(order, request, outcome, order.seconds)
        outcome.end()
        return outcome

    def _channel(self, address: str, number: int) -> grpc.aio.Channel:
        if (address, number) not in self._channels:
            options = [
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                # Channels with the same options would share a connection.
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.enable_retries", 0),
            ]
            self._channels[address, number] = grpc.aio.insecure_channel(address, options=options)
        return self._channels[address, number]

    def _calls(self, order: Order) -> list[Callable[..., Awaitable[bytes]]]:
        return [self._channel(order.address, i).unary_unary(order.method) for i in range(order.connections)]

    async def _closed_loop(self, order: Order, request: bytes, outcome: Outcome, seconds: float) -> None:
        clock, calls = time.perf_counter, self._calls(order)
        end = clock() + seconds

        async def caller(call: Callable[..., Awaitable[bytes]]) -> None:
            start = clock()
            while start < end:
                try:
                    answer = await call(request, timeout=order.deadline_s)
                    outcome.ok(clock() - start, answer)
                except grpc.aio.AioRpcError as failed:
                    outcome.failed(clock() - start, failed.code().name)
                start = clock()

        await asyncio.gather(*(caller(calls[i % len(calls)]) for i in range(order.in_flight)))

    async def _stream(self, order: Order, request: bytes, outcome: Outcome, seconds: float) -> None:
        clock, call = time.perf_counter, self._channel(order.address, 0).stream_stream(order.method)()
        sent = deque[float]()
        end = clock() + seconds
        for _ in range(order.in_flight):
            sent.append(clock())
            await call.write(request)
        while sent:
            answer = await call.read()
            if answer is grpc.aio.EOF:
                outcome.failed(clock() - sent.popleft(), (await call.code()).name)
                return
            now = clock()
            outcome.ok(now - sent.popleft(), answer)
            if now < end:
                sent.append(now)
                await call.write(request)
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass

    async def _open_loop(self, order: Order, request: bytes, outcome: Outcome) -> None:
        clock, calls = time.perf_counter, self._calls(order)
        pending: set[asyncio.Task[None]] = set()
        gaps = random.Random(1)  # the same arrivals in every run
        due = clock()
        counted_from, end = due + order.warm_up_s, due + order.warm_up_s + order.seconds

        async def one(call: Callable[..., Awaitable[bytes]], due: float) -> None:
            late = clock() - due
            outcome.lags_s.append(late)
            try:
                answer = await call(request, timeout=order.deadline_s and order.deadline_s - late)
                if clock() < end:
                    outcome.ok(clock() - due, answer)
            except grpc.aio.AioRpcError as failed:
                if clock() < end:
                    outcome.failed(clock() - due, failed.code().name)

        for number in itertools.count():
            due += gaps.expovariate(order.rate_per_s)
            if due >= end:
                break
            if due >= counted_from:
                outcome.clear()
                counted_from = end
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            elif number % 16 == 0:
                await asyncio.sleep(0)  # late: answers must be read all the same
            task = asyncio.create_task(one(calls[number % len(calls)], due))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.sleep(end - clock())
        outcome.end()
        await asyncio.gather(*pending)


def _read(file: str) -> bytes:
    return Path(file).read_bytes()


def _summary(latencies_s: list[float]) -> dict[str, float]:
    percentiles = {f"p{number}_us": _percentile_us(latencies_s, number / 100) for number in (50, 99)}
    return {"count": len(latencies_s)} | percentiles


def _percentile_us(values_s: list[float], fraction: float) -> float:
    return sorted(values_s)[int(fraction * (len(values_s) - 1))] * 1e6 if values_s else 0.0


async def _main() -> None:
    generator = Generator()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        outcome = await generator.run(Order(**json.loads(line)))
        print(json.dumps(outcome.as_dict()), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())

"""Callers as they should be, and those in a hurry: every answer is compared, bit by bit."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from numbatch.client import AsyncClient
from numbatch.wire.errors import NumbatchError
from soak.cast import LIMITED, MOST_IN_FLIGHT, ROWS, VERSIONS, Question
from soak.ledger import Ledger, Wrong

# A client that closes its connection has its calls cancelled; the mean pause leaves the server some idle moments.
_PAUSE_S = 0.004
_CANCELLED, _HURRIED = 0.01, 0.02
_TOO_LATE = ("DEADLINE_EXCEEDED", "SERVER_OVERLOADED")
_BURST_EVERY_S = 3.0


class Callers:
    """Ask and compare.

    Parameters
    ----------
    address : str
        The server's.
    questions : sequence of Question
        What they ask.
    ledger : Ledger
        Where it is written down.
    rng : Random
        Decides when they give up.
    """

    def __init__(self, address: str, questions: Sequence[Question], ledger: Ledger, rng: random.Random) -> None:
        self._address = address
        self._by_rows: dict[int, list[Question]] = {rows: [] for rows in ROWS}
        for question in questions:
            self._by_rows[len(question.x)].append(question)
        self._ledger = ledger
        self._rng = rng
        self._stopped = asyncio.Event()

    async def run(self, seconds: float, unary: int = 6, streams: int = 2) -> None:
        """Ask for some seconds."""
        asyncio.get_running_loop().call_later(seconds, self._stopped.set)
        async with AsyncClient(self._address) as client, asyncio.TaskGroup() as group:
            for _ in range(unary):
                group.create_task(self._again(lambda: self._ask(client)))
            for _ in range(streams):
                group.create_task(self._again(lambda: self._stream(client)))
            group.create_task(self._again(lambda: self._swapped(client)))
            group.create_task(self._again(lambda: self._burst(client), _BURST_EVERY_S))
            group.create_task(self._again(self._newcomer, 0.5))

    async def _again(self, do: Callable[[], Coroutine[Any, Any, None]], pause_s: float = _PAUSE_S) -> None:
        while not self._stopped.is_set():
            await do()
            await asyncio.sleep(self._rng.expovariate(1 / pause_s))

    def _question(self) -> Question:
        return self._rng.choice(self._by_rows[self._rng.choice(ROWS)])

    async def _ask(self, client: AsyncClient) -> None:
        question, chance = self._question(), self._rng.random()
        if chance < _CANCELLED:
            await self._give_up(client, question)
        elif chance < _CANCELLED + _HURRIED:
            with self._ledger.entry("in a hurry", _TOO_LATE):
                timeout = self._rng.choice((0.001, 0.002, 0.005, 0.02))
                _compare(
                    question, await client.infer(question.model, question.x, layers=question.layers, timeout=timeout)
                )
        else:
            with self._ledger.entry("unary"):
                _compare(question, await client.infer(question.model, question.x, layers=question.layers))

    async def _give_up(self, client: AsyncClient, question: Question) -> None:
        asked = asyncio.create_task(client.infer(question.model, question.x, layers=question.layers))
        await asyncio.sleep(self._rng.uniform(0, 0.005))
        asked.cancel()
        with self._ledger.entry("cancelled"):
            try:
                _compare(question, await asked)
            except asyncio.CancelledError:
                self._ledger.note("cancelled", "CANCELLED")

    async def _stream(self, client: AsyncClient) -> None:
        asked = [self._question() for _ in range(self._rng.randrange(1, 120))]
        model = asked[0].model
        asked = [question for question in asked if question.model == model and question.layers == asked[0].layers]
        stays = self._rng.random() > 0.1
        with self._ledger.entry("streams"):
            stream = client.stream(model, [question.x for question in asked], layers=asked[0].layers)
            answered = 0
            try:
                async for answer in stream:
                    _compare(asked[answered], answer)
                    answered += 1
                    if not stays and answered == len(asked) // 2:
                        break
                else:
                    if answered != len(asked):
                        raise Wrong(f"{answered} answers to {len(asked)} minibatches")
            finally:
                await stream.aclose()
            self._ledger.note("minibatches of streams", "answered", answered)

    async def _swapped(self, client: AsyncClient) -> None:
        """Ask the model whose versions come and go: the version is a factor, the same for all rows."""
        x = np.full((self._rng.choice(ROWS), 2), 3.0, np.float32)
        with self._ledger.entry("a model that is replaced"):
            answer = await client.infer("swapped", x)
            factors = set((answer / x).ravel().tolist())
            if len(factors) != 1 or not factors <= set(range(1, VERSIONS + 1)):
                raise Wrong(f"an answer of the versions {factors}")

    async def _burst(self, client: AsyncClient) -> None:
        async def ask(number: int) -> None:
            with self._ledger.entry("bursts", ("SERVER_OVERLOADED",)):
                if (await client.infer(LIMITED, [number, 0])).tolist() != [2 * number, 0]:
                    raise Wrong("a burst")

        await asyncio.gather(*(ask(number) for number in range(6 * MOST_IN_FLIGHT)))

    async def _newcomer(self) -> None:
        """Ask once over a connection that then ends, sometimes in the middle."""
        question = self._question()
        with self._ledger.entry("newcomers", ("CANCELLED",)):
            async with AsyncClient(self._address) as client:
                asked = asyncio.create_task(client.infer(question.model, question.x, layers=question.layers))
                if self._rng.random() < 0.3:
                    await asyncio.sleep(self._rng.uniform(0, 0.01))
                    asked.cancel()
                try:
                    _compare(question, await asked)
                except (asyncio.CancelledError, NumbatchError):
                    if not asked.cancelled():
                        raise
                    self._ledger.note("cancelled", "CANCELLED")


def _compare(question: Question, answer: dict[str, Any]) -> None:
    got = {name: array.tobytes() for name, array in answer.items()}
    if got != question.answer:
        raise Wrong(f"{question.model} {question.layers} of {len(question.x)} rows: other bits")

"""An alarm wakes its task on time or later, never before; how late is the machine's."""

import asyncio
import time

from numbatch.loadtest.alarm import Alarm


def test_it_wakes_not_before_its_time_again_and_again() -> None:
    async def waits() -> list[float]:
        alarm = Alarm()
        waited = []
        for _ in range(5):
            start = time.monotonic()
            await alarm.wait(0.002)
            waited.append(time.monotonic() - start)
        alarm.close()
        return waited

    assert min(asyncio.run(waits())) >= 0.002


def test_what_is_due_is_not_waited_for() -> None:
    async def wait() -> None:
        alarm = Alarm()
        await alarm.wait(0.0)
        await alarm.wait(-1.0)
        alarm.close()

    asyncio.run(asyncio.wait_for(wait(), 5))


def test_closing_twice_does_nothing() -> None:
    async def close() -> None:
        alarm = Alarm()
        alarm.close()
        alarm.close()

    asyncio.run(close())

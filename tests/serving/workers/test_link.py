"""A worker's side of the channel: whatever comes of a change, the supervisor, for whom all others wait, is told."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from numbatch.engine import load_model
from numbatch.repository.registry import Registry
from numbatch.serving.workers.changes import Change
from numbatch.serving.workers.channel import Channel, Message
from numbatch.serving.workers.link import Link
from support.server import write_model
from support.tiny import tiny_model


async def answers(registry: Registry, journal: list[Change], *changes: Change) -> list[Message]:
    """Return what a worker says that is given these changes."""
    ours, theirs = socket.socketpair()
    supervisor, worker = await Channel.open(ours), await Channel.open(theirs)
    link = Link(worker)
    said = []
    with ThreadPoolExecutor(1) as loader:
        listening = asyncio.create_task(link.may_listen(registry, loader, journal))
        said.append(await supervisor.receive())
        supervisor.send("listen")
        await listening
        for number, change in enumerate(changes):
            supervisor.send("change", number=number, change=change.to_json())
            said.append(await supervisor.receive())
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    supervisor.close()
    worker.close()
    await asyncio.sleep(0)  # they close
    return [message for message in said if message is not None]


def test_a_change_that_fails_unexpectedly_is_answered_and_so_is_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path, load=load_model)
    monkeypatch.setattr(registry, "unload", lambda *_: 1 / 0)
    write_model(tmp_path, tiny_model())
    changes = Change("tiny", 1, loads=False), Change("tiny", 1, loads=True, result=1)
    loaded, failed, made = asyncio.run(answers(registry, [], *changes))
    assert loaded == {"kind": "loaded"}
    assert failed == {"kind": "made", "number": 0, "problem": "ZeroDivisionError: division by zero"}
    assert made == {"kind": "made", "number": 1, "problem": ""}


def test_a_newcomer_says_what_it_cannot_make_of_what_was_changed_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = [Change("gone", 0, loads=True, result=1)]
    assert asyncio.run(answers(Registry(tmp_path, load=load_model), journal)) == [{"kind": "loaded"}]
    assert "what was changed before cannot be changed here model=gone: " in caplog.text

"""What a worker keeps of a change for the others."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from numbatch.repository.registry import Registry
from numbatch.serving.control import LocalControl
from numbatch.serving.workers.changes import Change
from numbatch.serving.workers.control import WorkerControl
from numbatch.v1.repository_pb2 import LoadModelRequest
from support.tiny import tiny_model


async def alone(make: Callable[[], Awaitable[Change]]) -> None:
    """Give a turn to a worker that is the only one."""
    await make()


def test_a_model_for_which_there_is_no_room_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def write_a_part(path: Path, data: bytes) -> NoReturn:
        write(path, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_a_part)
    registry = Registry(None)
    with ThreadPoolExecutor(1) as loader:
        control = WorkerControl(LocalControl(registry, loader), alone, tmp_path)
        with pytest.raises(OSError, match="No space left"):
            asyncio.run(control.load(LoadModelRequest(model=tiny_model())))
    assert list(tmp_path.iterdir()) == []
    assert list(registry.snapshot) == []

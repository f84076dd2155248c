"""The channel between the supervisor and a worker: messages as lines of JSON, over a pair of sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, Self

Message = dict[str, Any]

# A list of models is one line.
_LONGEST_LINE_BYTES = 64 * 2**20


class Channel:
    """One end of it, on the running event loop; made by `open`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over one of a pair of sockets."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LONGEST_LINE_BYTES))

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message, or nothing if the other end is gone: who reads from it learns that."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    async def flush(self) -> None:
        """Wait until what was sent is on its way."""
        await self._writer.drain()

    async def receive(self) -> Message | None:
        """Return the next message; None when the other end is gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        # The end of a process may cut its last line off.
        return dict(json.loads(line)) if line.endswith(b"\n") else None

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Iterate over the messages until the other end is gone."""
        while (message := await self.receive()) is not None:
            yield message

    def close(self) -> None:
        """Let go of this end."""
        self._writer.close()

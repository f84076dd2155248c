"""Answers that may be long, on their way out: packed for who asks for it, not kept for a peer that does not read."""

import asyncio
import zlib
from collections.abc import Sequence

from aiohttp import web
from aiohttp.hdrs import ACCEPT_ENCODING, CONTENT_ENCODING

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# What is shorter does not become much shorter.
_LEAST_PACKED_BYTES = 1024
# What is shorter is packed in a millisecond.
_QUICKLY_PACKED_BYTES = 32 * 1024
# The first level: numbers are hardly shorter with the others, which take several times as long.
_LEVEL = 1
_WBITS = {"gzip": 31, "deflate": 15}

# The system takes so much for a peer that does not read yet.
_AT_ONCE_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024


async def send(
    request: web.Request, parts: Sequence[bytes | memoryview], headers: dict[str, str], stall_s: float
) -> web.StreamResponse:
    """Send the body of an answer, and return the answer.

    Parameters
    ----------
    request : Request
        What is answered.
    parts : sequence of bytes or memoryview
        The body.
    headers : dict of str to str
        Go with it.
    stall_s : float
        How long the peer may read nothing.

    Raises
    ------
    OverloadedError
        STREAM_STALLED; the connection is ended then.
    """
    size = sum(map(len, parts))
    packing = _packing(request.headers.get(ACCEPT_ENCODING, "")) if size >= _LEAST_PACKED_BYTES else ""
    if packing:
        if size <= _QUICKLY_PACKED_BYTES:
            packed = _pack(parts, packing)
        else:
            packed = await asyncio.to_thread(_pack, parts, packing)
        parts, size, headers = [packed], len(packed), {**headers, CONTENT_ENCODING: packing}
    if size <= _AT_ONCE_BYTES:
        return web.Response(body=b"".join(parts), headers=headers)
    answer = web.StreamResponse(headers=headers)
    answer.content_length = size
    await answer.prepare(request)
    try:
        for part in parts:
            for start in range(0, len(part), _PIECE_BYTES):
                async with asyncio.timeout(stall_s):
                    await answer.write(part[start : start + _PIECE_BYTES])
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise error(Reason.STREAM_STALLED, f"nothing of the answer was read for {stall_s:g} s") from None
    await answer.write_eof()
    return answer


def _packing(accepted: str) -> str:
    """Return how an answer is to be packed, by what its reader accepts; "": not at all."""
    for each in accepted.lower().split(","):
        name, _, weight = each.strip().partition(";")
        if name.strip() in _WBITS and weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            return name.strip()
    return ""


def _pack(parts: Sequence[bytes | memoryview], packing: str) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WBITS[packing])
    return b"".join([*(packer.compress(part) for part in parts), packer.flush()])

"""The bodies of requests: read as far as is allowed, no slower than is allowed, and unpacked."""

import asyncio
import http
import zlib

from aiohttp import web
from aiohttp.hdrs import ACCEPT_ENCODING, CONTENT_ENCODING, EXPECT

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

# What zlib calls the two: with gzip's header, and with zlib's own or none.
_GZIP, _ZLIB, _BARE = 31, 15, -15

# It may become a thousand times as much, which takes some milliseconds.
_QUICKLY_UNPACKED_BYTES = 4 * 1024

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies:
    """Reads bodies.

    Parameters
    ----------
    max_bytes : int
        The largest, packed or unpacked.
    stall_s : float
        How long a peer may send nothing of a body that it began.
    """

    def __init__(self, max_bytes: int, stall_s: float) -> None:
        self._max_bytes = max_bytes
        self._stall_s = stall_s

    async def read(self, request: web.Request) -> bytes | bytearray:
        """Return the body of a request, unpacked.

        Raises
        ------
        NumbatchError
            MESSAGE_TOO_LARGE, MALFORMED_MESSAGE.
        web.HTTPException
            If it came too slowly, or packed in a way that is not known.
        """
        packing = request.headers.get(CONTENT_ENCODING, "").strip().lower()
        if packing not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise web.HTTPUnsupportedMediaType(
                text=f"Content-Encoding: got {packing[:64]!r}, expected gzip or deflate, or none",
                headers={ACCEPT_ENCODING: "gzip, deflate"},
            )
        if (request.content_length or 0) > self._max_bytes:
            raise self._too_large(f"{request.content_length} bytes")
        body = await self._read(request)
        if packing in ("", "identity") or not body:
            return body
        if len(body) <= _QUICKLY_UNPACKED_BYTES:
            return self._unpack(body, packing)
        return await asyncio.to_thread(self._unpack, body, packing)

    async def _read(self, request: web.Request) -> bytes | bytearray:
        if EXPECT in request.headers and not request.content.total_bytes:
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0
        body: bytes | bytearray = b""
        try:
            while not request.content.at_eof():
                async with asyncio.timeout(self._stall_s):
                    piece = await request.content.readany()
                if not body:
                    body = piece
                else:
                    body = bytearray(body) if isinstance(body, bytes) else body
                    body += piece
                if len(body) > self._max_bytes:
                    raise self._too_large(f"{len(body)} bytes and more")
        except TimeoutError:
            raise web.HTTPRequestTimeout(text=f"nothing of the body came for {self._stall_s:g} s") from None
        except web.RequestPayloadError:
            raise error(Reason.MALFORMED_MESSAGE, "the body is not as its headers say") from None
        return body

    def _unpack(self, body: bytes | bytearray, packing: str) -> bytearray:
        unpacked = bytearray()
        rest: bytes | bytearray = body
        try:
            while rest:  # gzip may have several members
                member = zlib.decompressobj(_wbits(rest, packing))
                unpacked += member.decompress(rest, self._max_bytes + 1 - len(unpacked))
                if len(unpacked) > self._max_bytes:
                    raise self._too_large("more, unpacked")
                if not member.eof:
                    raise error(Reason.MALFORMED_MESSAGE, f"{packing} that ends too early")
                rest = member.unused_data
        except zlib.error as malformed:
            raise error(Reason.MALFORMED_MESSAGE, f"no {packing}: {malformed}") from None
        return unpacked

    def _too_large(self, got: str) -> NumbatchError:
        return error(
            Reason.MESSAGE_TOO_LARGE,
            "the request is over the server's message limit",
            got=got,
            expected=f"at most {self._max_bytes} bytes",
            hint="send fewer rows at once, or raise the server's limit",
        )


async def expect_nothing_yet(request: web.Request) -> None:
    """Be the handler of the header Expect: whoever reads the body says that it may come, once the request is let in."""
    if request.headers.get(EXPECT, "").lower() != "100-continue":
        raise web.HTTPExpectationFailed(text=http.HTTPStatus.EXPECTATION_FAILED.phrase)


def _wbits(data: bytes | bytearray, packing: str) -> int:
    if packing != "deflate":
        return _GZIP
    # By the standard it has zlib's header; some leave that out.
    is_zlib = len(data) > 1 and data[0] & 15 == 8 and not (data[0] << 8 | data[1]) % 31
    return _ZLIB if is_zlib else _BARE

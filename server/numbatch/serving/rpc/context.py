"""What the handlers use of a gRPC call, written down because grpc publishes no types for it."""

from collections.abc import Iterable
from typing import Any, NoReturn, Protocol


class CallContext(Protocol):
    """The part of grpc.aio.ServicerContext that is used here."""

    async def read(self) -> Any:
        """Return the next message of the stream, or grpc.aio.EOF."""

    async def write(self, message: bytes) -> None:
        """Send a message; wait while the peer does not read."""

    async def abort(self, code: Any, details: str, trailing_metadata: tuple[tuple[str, bytes | str], ...]) -> NoReturn:
        """End the call with a status, and raise."""

    def invocation_metadata(self) -> Iterable[tuple[str, Any]] | None:
        """Return the headers that the caller sent: text, or bytes where a name ends in "-bin"."""

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline, on the wall clock; None without a deadline."""

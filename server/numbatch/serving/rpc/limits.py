"""The size limit of answers; gRPC itself keeps that of requests."""

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


def check_response_size(size: int, limit: int, hint: str) -> None:
    """Refuse an answer over the limit.

    Raises
    ------
    MessageTooLargeError
        MESSAGE_TOO_LARGE, with both sizes.
    """
    if size > limit:
        raise error(
            Reason.MESSAGE_TOO_LARGE,
            "the answer is over the server's message limit",
            got=f"{size} bytes",
            expected=f"at most {limit} bytes",
            hint=f"{hint}, or raise the limit of the server and of the client",
        )

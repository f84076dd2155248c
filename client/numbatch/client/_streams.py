"""What the streams of both clients share.

A stream is a feed and a reader, with a window between them. The feed takes minibatches from the caller's iterable while
fewer than `window` are without a result, and sends them; the reader reads an answer for each, gives the results in
order, and opens another call where one breaks. A minibatch that the client itself refuses gets its error at its place.
"""

from dataclasses import dataclass

from numbatch.client._errors import CallDetails, deadline_exceeded
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason


@dataclass(frozen=True)
class Plan:
    """How a stream is to run.

    Attributes
    ----------
    call : CallDetails
        What all of its requests share; `timeout_s` is for each answer.
    window : int
        At most so many minibatches are unanswered.
    return_exceptions : bool
        Whether a minibatch's error is a result, or ends the stream.
    reconnect : bool
        Whether another call takes over where one breaks.
    """

    call: CallDetails
    window: int
    return_exceptions: bool
    reconnect: bool

    def __post_init__(self) -> None:
        if self.window < 1:
            raise error(Reason.INVALID_FIELD, field="window", got=self.window, expected="1 or more")

    def overdue(self) -> NumbatchError:
        """Return the error for an answer that took too long."""
        return deadline_exceeded(self.call, "no answer on the stream")


def cut_off(call: CallDetails) -> NumbatchError:
    """Return the error for a server that ends a stream as if all were well before it has answered everything."""
    return error(Reason.INTERNAL, f"{call.server} ended the stream before it had answered every request")

"""What an answer is: right, wrong, an error in its place. It is told to the recorder."""

import base64
from typing import Any

from numbatch.loadtest.library import Library
from numbatch.loadtest.outcomes import outcome_of
from numbatch.loadtest.protocol import Protocol
from numbatch.loadtest.recorder import Recorder
from numbatch.wire.errors import NumbatchError

# Wrong answers that are kept with all that came; the others are counted.
_KEPT = 5
_LONGEST_TEXT = 200


class Judge:
    """Of one process, in one step.

    Parameters
    ----------
    library : Library
        Knows what is right.
    protocol : Protocol
        Takes answers apart.
    recorder : Recorder
        Is told.
    streamed : bool
        Whether they come on streams.
    """

    def __init__(self, library: Library, protocol: Protocol, recorder: Recorder, *, streamed: bool) -> None:
        self._library, self._protocol, self._recorder, self._streamed = library, protocol, recorder, streamed
        self.mismatches: list[dict[str, Any]] = []

    def answered(self, message: int, answer: bytes, due: float, sent: float, done: float) -> None:
        """Take note of an answer."""
        verifier, own = self._library.verifier(message)
        # On a stream, an answer may be an error: that must be looked for even if nobody asks what is right.
        if verifier.is_known(own, answer) if verifier is not None else not self._streamed:
            self._recorder.ok(due, sent, done, self._library.rows[message])
            return
        try:
            read = self._protocol.answer(answer, streamed=self._streamed)
        except (ValueError, NumbatchError) as unreadable:
            self._recorder.not_ok("failed", due, sent, done, f"an answer that cannot be read: {unreadable}")
            return
        if read.code:
            self.failed(read.code, read.error, due, sent, done)
            return
        wrong = None if verifier is None else verifier.problem(own, answer, read)
        if wrong is None:
            self._recorder.ok(due, sent, done, self._library.rows[message])
            return
        self._recorder.not_ok("mismatch", due, sent, done, f"a wrong answer of {read.model}")
        if len(self.mismatches) < _KEPT:
            raw = base64.b64encode(answer).decode()
            self.mismatches.append({"message": message, "detail": wrong, "model": read.model, "answer": raw})

    def failed(self, code: int, text: str, due: float, sent: float, done: float) -> None:
        """Take note of a status other than OK."""
        self._recorder.not_ok(outcome_of(code), due, sent, done, text[:_LONGEST_TEXT])

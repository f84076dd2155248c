"""Peers as they should not be: damaged messages, answers that are never read, clients that are killed."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import grpc
import numpy as np

from numbatch.v1.inference_pb2 import InferRequest
from numbatch.wire.codec import INFER_REQUEST
from numbatch.wire.reasons import Code
from soak.cast import UNREAD, Question
from soak.ledger import Ledger
from soak.process import STREAM_STALL_S
from support.mutations import mutated
from support.raw_calls import INFER, STREAM_INFER, error_of, raw_calls, stream_request

_THE_CALLERS = {"INVALID_ARGUMENT", "NOT_FOUND"}
_DAMAGED_AT_ONCE = 50
_READERS = 4
_MOST_UNREAD = 64
_LARGE_ROWS = 2**17
# The server tells the peer of the end after one stall, and drops the call after a second one.
_STALLED_BY_S = 3 * STREAM_STALL_S
_STALLED = {"RESOURCE_EXHAUSTED", "CANCELLED"}

# Asks as fast as it can, unary and on streams, until it is killed.
_VICTIM = """
import sys, threading
import grpc
import numpy as np
from numbatch.client import Client
x = np.ones((64, 40), np.float32)
client = Client(sys.argv[1])
def stream():
    for _ in client.stream("wide", (x for _ in iter(int, 1)), layers=["hidden", "out"]):
        pass
def unary():
    while True:
        client.infer("wide", x)
for work in (stream, stream, unary, unary):
    threading.Thread(target=work, daemon=True).start()
client.infer("wide", x)
print("asking", flush=True)
threading.Event().wait()
"""


class Vandals:
    """Do what they should not until they are told to stop, each on a thread of its own."""

    def __init__(self, address: str, questions: Sequence[Question], ledger: Ledger, seed: int) -> None:
        self._address = address
        self._questions = questions
        self._ledger = ledger
        self._seed = seed
        self._stopped = threading.Event()
        works = (self._send_damaged, self._never_read, self._kill_clients)
        self._threads = [threading.Thread(target=self._again, args=(work,), name=work.__name__) for work in works]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _again(self, work: Callable[[random.Random], None]) -> None:
        rng = random.Random(self._seed)
        while not self._stopped.is_set():
            try:
                work(rng)
            except Exception as failed:
                self._ledger.complain(work.__name__, f"{type(failed).__name__}: {failed}")
                self._stopped.wait(0.5)

    def _send_damaged(self, rng: random.Random) -> None:
        whole = [
            INFER_REQUEST.encode(InferRequest(model_name=question.model, layers=question.layers), [("", question.x)])
            for question in rng.sample(self._questions, 8)
        ]
        with raw_calls(self._address) as calls:
            infer = calls.channel.unary_unary(INFER)
            for _ in range(20):
                if self._stopped.wait(0.1):
                    return
                damaged = mutated(whole, _DAMAGED_AT_ONCE, rng.randrange(2**32))
                for call in [infer.future(data, timeout=30) for data in damaged]:
                    failure = call.exception()
                    code = "answered" if failure is None else Code(error_of(failure).code).name
                    if code == "answered" or code in _THE_CALLERS:
                        self._ledger.note("damaged messages", code)
                    else:
                        self._ledger.complain("damaged messages", str(failure))

    def _never_read(self, _: random.Random) -> None:
        """Send large minibatches on streams and leave the answers: the server ends the streams."""
        request = stream_request(UNREAD, np.ones((_LARGE_ROWS, 2)))

        def requests() -> Iterator[bytes]:
            for _ in range(_MOST_UNREAD):
                yield request
            self._stopped.wait(30)

        with raw_calls(self._address) as calls:
            open_stream = calls.channel.stream_stream(STREAM_INFER)
            streams = [open_stream(requests(), timeout=60) for _ in range(_READERS)]
            waited_enough = not self._stopped.wait(_STALLED_BY_S)
            for stream in streams:
                if not waited_enough:
                    stream.cancel()
                    continue
                try:
                    for _ in stream:
                        pass
                    self._ledger.note("streams never read", "read in time")  # it had not sent enough yet
                except grpc.RpcError as ended:
                    code = ended.code().name
                    if code in _STALLED:
                        self._ledger.note("streams never read", code)
                    else:
                        self._ledger.complain("streams never read", str(ended))
        self._stopped.wait(2)

    def _kill_clients(self, rng: random.Random) -> None:
        victims = [
            subprocess.Popen([sys.executable, "-c", _VICTIM, self._address], stdout=subprocess.PIPE) for _ in range(2)
        ]
        try:
            for victim in victims:
                assert victim.stdout is not None
                if victim.stdout.readline() != b"asking\n":
                    raise RuntimeError("a client process ended by itself")
            self._stopped.wait(rng.uniform(0, 0.3))
        finally:
            for victim in victims:
                victim.kill()
                victim.communicate()
                self._ledger.note("clients killed", "killed")
        self._stopped.wait(1)


def damage_the_codec(count: int, seed: int, ledger: Ledger) -> None:
    """Compare what the codec reads of damaged messages with what protobuf reads."""
    from google.protobuf.message import DecodeError

    from numbatch.wire.errors import InvalidArgumentError

    arrays = [np.ones((rows, 2), np.float32) for rows in (1, 3, 2200)]
    header = InferRequest(model_name="tiny", request_id="r", layers=["scaled", "positive"])
    whole = [INFER_REQUEST.encode(header, [("input", array), ("", array[:1])]) for array in arrays]
    for data in mutated(whole, count, seed):
        by_codec: InferRequest | None
        by_protobuf: InferRequest | None
        try:
            by_codec, blobs = INFER_REQUEST.decode(data)
            for tensor, blob in zip(by_codec.inputs, blobs, strict=True):
                tensor.data = bytes(blob)
        except InvalidArgumentError:
            by_codec = None
        try:
            by_protobuf = InferRequest.FromString(data)
        except DecodeError:
            by_protobuf = None
        if by_codec == by_protobuf:
            ledger.note("damaged messages, codec only", "refused" if by_codec is None else "read")
        else:
            ledger.complain("damaged messages, codec only", f"codec and protobuf differ about {data[:200].hex()}")

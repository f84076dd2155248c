"""ModelInferRequest, from its bytes to those of the answer: all of the path but the transport."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace

from google.protobuf.message import DecodeError

from fuzz.run import Target
from numbatch.batching import Group, QueueStatistics, Refusal, Request
from numbatch.oip.grpc_inference_service_pb2 import ModelInferRequest, ModelInferResponse
from numbatch.repository.registry import Registry
from numbatch.serving.core import Core
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.oip.shared_memory import Regions
from numbatch.serving.rpc.oip import OipInferenceService
from numbatch.serving.rpc.window import StreamLimits
from numbatch.wire.errors import NumbatchError
from numbatch.wire.oip import MODEL_INFER_REQUEST
from numbatch.wire.reasons import Code
from support.shared_memory import shared_memory
from support.tiny import tiny_model

_LIMIT = 64 * 2**20

# What a caller may do wrong, and what is not served.
THE_CALLERS = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNIMPLEMENTED, Code.DEADLINE_EXCEEDED}

_BY_HAND = replace(MODEL_INFER_REQUEST, small_bytes=0)


class AtOnce:
    """Lets every request run at once."""

    statistics = QueueStatistics({}, 0)
    is_alive = True

    def may_pass(self, group: Group, rows: int, quick_s: float) -> bool:
        return True

    def passed(self, group: Group, rows: int, seconds: float) -> None:
        pass

    def submit(self, request: Request) -> Refusal | None:
        raise AssertionError("it passes")

    def withdraw(self, request: Request) -> bool:
        return False

    def dispatch(self) -> None:
        pass

    def close(self) -> None:
        pass


@contextmanager
def oip_grpc() -> Iterator[Target]:
    """Answer requests for the model "tiny"; the region "r" of shared memory is there."""
    with asyncio.Runner() as runner, shared_memory(64) as memory:
        registry = Registry(None)
        registry.load_from_message(tiny_model())
        regions = Regions()
        regions.register("r", memory.key, 0, 64)
        service = runner.run(_service(registry, regions))

        async def ask(data: bytes) -> str:
            _compare_with_protobuf(data)
            try:
                answer = await service.model_infer(data, None)
            except NumbatchError as refused:
                if refused.code not in THE_CALLERS or not refused.message:
                    raise
                return str(refused.reason)
            response = ModelInferResponse.FromString(answer)
            assert len(response.outputs) == len(response.raw_output_contents) > 0
            return "answered"

        yield lambda data: at_once(ask(data))
        regions.close()


def at_once(answer: Coroutine[None, None, str]) -> str:
    """Run a coroutine that waits for nothing; a task and a turn of a loop for each message would take longer."""
    try:
        answer.send(None)
    except StopIteration as done:
        return str(done.value)
    answer.close()
    raise AssertionError("it waits")


async def _service(registry: Registry, regions: Regions) -> OipInferenceService:
    core = Core(registry, max_output_bytes=_LIMIT)
    core.compute = AtOnce()
    limits = StreamLimits(8, _LIMIT, 30)
    return OipInferenceService(core, Lifecycle(), regions, max_message_bytes=_LIMIT, stream_limits=limits)


def _compare_with_protobuf(data: bytes) -> None:
    """Check that reading by hand gives what protobuf reads."""
    try:
        expected = ModelInferRequest.FromString(data)
    except DecodeError:
        expected = None
    try:
        read, raw = _BY_HAND.decode(data)
    except NumbatchError:
        assert expected is None
        return
    del read.raw_input_contents[:]
    read.raw_input_contents.extend(map(bytes, raw))
    assert read == expected

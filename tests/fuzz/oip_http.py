"""Requests for inference over HTTP, from their bodies to those of the answers: all of the path but the transport.

A message is the value of Inference-Header-Content-Length, which may be empty for none, a line feed, and the body.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

from fuzz.oip_grpc import THE_CALLERS, AtOnce, at_once
from fuzz.run import Target
from numbatch.repository.registry import Registry
from numbatch.serving.core import Core
from numbatch.serving.http.infer_answers import write_response
from numbatch.serving.http.infer_requests import read_request
from numbatch.serving.http.refusals import refusal
from numbatch.serving.observer import Observer
from numbatch.serving.oip.requests import finish, in_their_words, start
from numbatch.serving.oip.shared_memory import Regions
from numbatch.serving.work import Work
from numbatch.wire.errors import NumbatchError
from support.shared_memory import shared_memory
from support.tiny import tiny_model

_LIMIT = 2**20


@contextmanager
def oip_http() -> Iterator[Target]:
    """Answer requests for the model "tiny"; the region "r" of shared memory is there."""
    with asyncio.Runner() as runner, shared_memory(64) as memory:
        registry = Registry(None)
        registry.load_from_message(tiny_model())
        regions = Regions()
        regions.register("r", memory.key, 0, 64)
        core = runner.run(_core(registry))

        async def answer(data: bytes) -> str:
            length, _, body = data.partition(b"\n")
            said = length.decode("latin-1") or None
            work = Work(core, Observer(), "HttpInfer", len(body))
            try:
                parsed = read_request(body, said, model="tiny", version="", max_json_bytes=_LIMIT)
                start(work, parsed.request, None, regions)
                response = await finish(work, parsed.request, regions)
                written = await write_response(response, parsed, _LIMIT)
            except NumbatchError as problem:
                refused = in_their_words(problem).with_traceback(None)
                if refused.code not in THE_CALLERS or not refused.message:
                    raise
                assert isinstance(refusal(refused).body, bytes)
                return str(refused.reason)
            whole = b"".join(written.parts)
            outputs = json.loads(whole[: written.json_bytes])["outputs"]
            sizes = [output.get("parameters", {}).get("binary_data_size", 0) for output in outputs]
            assert outputs
            assert sum(sizes) == len(whole) - (len(whole) if written.json_bytes is None else written.json_bytes)
            return "answered"

        yield lambda data: at_once(answer(data))
        regions.close()


async def _core(registry: Registry) -> Core:
    core = Core(registry, max_output_bytes=_LIMIT)
    core.compute = AtOnce()
    return core

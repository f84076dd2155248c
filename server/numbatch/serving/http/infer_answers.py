"""The core's outputs -> the bodies of answers: JSON, and binary data behind it."""

import asyncio
import json
from typing import Any, NamedTuple

from numbatch.serving.http.infer_requests import BINARY_SIZE, Parsed
from numbatch.serving.http.json_text import float32_text
from numbatch.serving.oip.messages import InferResponse, OutputTensor
from numbatch.serving.oip.parameters import BYTE_SIZE, OFFSET, REGION
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import array_bytes

_DATATYPE = "FP32"


class Written(NamedTuple):
    """A body.

    Attributes
    ----------
    parts : list of bytes or memoryview
        What it is, part by part.
    json_bytes : int or None
        How much of it is JSON; None: all of it.
    """

    parts: list[bytes | memoryview]
    json_bytes: int | None


async def write_response(response: InferResponse, parsed: Parsed, max_bytes: int) -> Written:
    """Return the answer to a request. Others go on in between where it is long.

    Parameters
    ----------
    response : InferResponse
        What came out.
    parsed : Parsed
        What was asked.
    max_bytes : int
        The largest answer.

    Raises
    ------
    MessageTooLargeError
        MESSAGE_TOO_LARGE.
    """
    head = {"model_name": response.model_name, "model_version": response.model_version}
    if response.id:
        head["id"] = response.id
    parts: list[bytes | memoryview] = [json.dumps(head)[:-1].encode(), b', "outputs": [']
    blobs: list[memoryview] = []
    size = 0
    for output in response.outputs:
        described = _described(output)
        if output.place is None and parsed.is_binary(output.name):
            blobs.append(array_bytes(output.array))
            size += len(blobs[-1])
            described["parameters"] = {BINARY_SIZE: len(blobs[-1])}
        text = json.dumps(described)
        parts.append((", " if output is not response.outputs[0] else "").encode())
        if output.place is not None or parsed.is_binary(output.name):
            parts.append(text.encode())
            continue
        parts.append(f'{text[:-1]}, "data": '.encode())
        for piece in float32_text(output.array):
            parts.append(piece)
            size += len(piece)
            _check_size(size, max_bytes)
            if size > _SHORT:
                await asyncio.sleep(0)
        parts.append(b"}")
    parts.append(b"]}")
    json_bytes = sum(map(len, parts)) if blobs else None
    parts += blobs
    _check_size(sum(map(len, parts)), max_bytes)
    return Written(parts, json_bytes)


# Nobody notices the time that it takes to write so much.
_SHORT = 16 * 1024


def _described(output: OutputTensor) -> dict[str, Any]:
    described: dict[str, Any] = {"name": output.name, "datatype": _DATATYPE, "shape": list(output.array.shape)}
    if output.place is not None:
        region, byte_size, offset = output.place
        described["parameters"] = {REGION: region, OFFSET: offset, BYTE_SIZE: byte_size}
    return described


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise error(
            Reason.MESSAGE_TOO_LARGE,
            "the answer is over the server's message limit",
            got=f"{size} bytes and more",
            expected=f"at most {most} bytes",
            hint="send fewer rows at once, ask for binary data, or raise the server's limit",
        )

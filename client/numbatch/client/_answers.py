"""Answers -> arrays. Pure: what was received elsewhere is read here.

The arrays are copies, not views of the received bytes: they can be written to, as NumPy's users expect, they are
aligned, and a small slice that is kept does not keep a whole message alive. The copy is one memcpy, 60 us for a MiB,
where the call that brought it takes milliseconds.
"""

from dataclasses import dataclass

from numbatch.client._errors import CallDetails
from numbatch.client._requests import several_outputs
from numbatch.v1.inference_pb2 import InferResponse
from numbatch.wire.codec import INFER_RESPONSE, STREAM_INFER_RESPONSE
from numbatch.wire.errors import InvalidArgumentError, NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.status import from_status
from numbatch.wire.tensors import Array, read_tensor

Outputs = Array | dict[str, Array]


@dataclass(frozen=True)
class Expected:
    """What the answer to a minibatch should be.

    Attributes
    ----------
    call : CallDetails
        The request that it answers.
    layers : tuple of str, or None
        The layers asked for. None: the model's only output.
    """

    call: CallDetails
    layers: tuple[str, ...] | None

    def read(self, answer: bytes) -> Outputs:
        """Return the outputs in an InferResponse.

        Returns
        -------
        ndarray, or dict of str to ndarray
            The only output; the layers asked for by name, in the order in which they were asked.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, where no layers were named and the model has several outputs.
        InternalError
            The answer cannot be read, or answers something else.
        """
        try:
            response, data = INFER_RESPONSE.decode(answer)
            arrays = _arrays(response, data)
        except InvalidArgumentError as unreadable:
            raise _unreadable(unreadable) from unreadable
        return self._choose(arrays)

    def read_streamed(self, answer: bytes) -> Outputs | NumbatchError:
        """Return the outputs in a StreamInferResponse, or why there are none; raise InternalError as `read` does."""
        try:
            message, data = STREAM_INFER_RESPONSE.decode(answer)
            arrays = _arrays(message.response, data)
        except InvalidArgumentError as unreadable:
            raise _unreadable(unreadable) from unreadable
        if message.request_id not in (self.call.request_id, ""):
            got, expected = repr(message.request_id), repr(self.call.request_id)
            raise error(Reason.INTERNAL, "an answer to another request", field="request_id", got=got, expected=expected)
        if message.WhichOneof("outcome") == "error":
            call = self.call
            failure = from_status(message.error)
            return failure.about(model=call.model, version=call.version, request_id=call.request_id)
        try:
            return self._choose(arrays)
        except InvalidArgumentError as refused:
            return refused.about(model=self.call.model, version=self.call.version, request_id=self.call.request_id)

    def _choose(self, arrays: dict[str, Array]) -> Outputs:
        if self.layers is None:
            if len(arrays) > 1:
                raise several_outputs(list(arrays))
            if not arrays:
                raise error(Reason.INTERNAL, "an answer without outputs")
            return next(iter(arrays.values()))
        if self.layers and tuple(arrays) != self.layers:
            raise error(
                Reason.INTERNAL,
                "an answer with other layers",
                field="outputs",
                got=", ".join(arrays),
                expected=", ".join(self.layers),
            )
        return arrays


def _arrays(response: InferResponse, data: list[memoryview]) -> dict[str, Array]:
    return {
        tensor.name: read_tensor(tensor, content, f"outputs[{i}]").copy()
        for i, (tensor, content) in enumerate(zip(response.outputs, data, strict=True))
    }


def _unreadable(cause: InvalidArgumentError) -> NumbatchError:
    return error(Reason.INTERNAL, f"the server's answer cannot be read: {cause.message}")

"""ModelInferRequest -> what serving.oip takes, and what it gives -> ModelInferResponse."""

from collections.abc import Mapping, Sequence

from numbatch.oip.grpc_inference_service_pb2 import InferParameter, ModelInferRequest, ModelInferResponse
from numbatch.serving.oip.contents import typed_elements
from numbatch.serving.oip.datatypes import data_type
from numbatch.serving.oip.messages import (
    NO_PARAMETERS,
    InferRequest,
    InferResponse,
    InputTensor,
    Parameters,
    WantedOutput,
)
from numbatch.serving.oip.parameters import REQUEST_PARAMETERS, TENSOR_PARAMETERS, place_of
from numbatch.serving.oip.requests import check_tensor_count
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, array_bytes

_FP32 = "FP32"
_FINAL_RESPONSE = "triton_final_response"

# Below it, to copy takes less time than to make a view.
_SMALL_BYTES = 16 * 1024


def read_request(message: ModelInferRequest, raw: Sequence[memoryview]) -> InferRequest:
    """Return what a message asks for.

    Parameters
    ----------
    message : ModelInferRequest
        Its own raw contents are not read.
    raw : sequence of memoryview
        These are.

    Raises
    ------
    NumbatchError
        INVALID_FIELD, DATA_TYPE_MISMATCH, FEATURE_UNSUPPORTED.
    """
    tensors, wanted = message.inputs, message.outputs
    check_tensor_count(len(tensors), "inputs")
    check_tensor_count(len(wanted), "outputs")
    inputs = []
    used = 0
    for position, tensor in enumerate(tensors):
        field = f"inputs[{position}]"
        place = place_of(_values(tensor.parameters, TENSOR_PARAMETERS), field) if tensor.parameters else None
        elements: memoryview | Array | None = None
        if tensor.HasField("contents") and tensor.contents.ListFields():
            if raw or place is not None:
                other = "a place in shared memory" if place is not None else "raw_input_contents"
                path, expected = f"{field}.contents", f"nothing beside {other}"
                raise error(Reason.INVALID_FIELD, field=path, got="typed contents", expected=expected)
            elements = typed_elements(tensor.contents, data_type(tensor.datatype, field), field)
        elif place is None and raw:
            if used < len(raw):
                elements = raw[used]
            used += 1
        inputs.append(InputTensor(tensor.name, tensor.datatype, tensor.shape, elements, place))
    if raw and used != len(raw):
        got, expected = f"{len(raw)} entries", f"{used}: one for each input that is not in shared memory"
        raise error(Reason.INVALID_FIELD, field="raw_input_contents", got=got, expected=expected)
    outputs = [
        WantedOutput(
            one.name,
            place_of(_values(one.parameters, TENSOR_PARAMETERS), f"outputs[{position}]") if one.parameters else None,
        )
        for position, one in enumerate(wanted)
    ]
    parameters = _values(message.parameters, REQUEST_PARAMETERS) if message.parameters else NO_PARAMETERS
    return InferRequest(message.model_name, message.model_version, message.id, inputs, outputs, parameters)


def write_response(
    response: InferResponse, *, final: bool = False
) -> tuple[ModelInferResponse, list[bytes | memoryview]]:
    """Return the message for an answer, and its raw contents.

    Parameters
    ----------
    response : InferResponse
        The answer.
    final : bool
        Whether to say that no other answer follows.
    """
    message = ModelInferResponse(model_name=response.model_name, model_version=response.model_version, id=response.id)
    if final:
        message.parameters[_FINAL_RESPONSE].bool_param = True
    raw: list[bytes | memoryview] = []
    for name, array, place in response.outputs:
        output = message.outputs.add(name=name, datatype=_FP32, shape=array.shape)
        if place is None:
            raw.append(array.tobytes() if array.nbytes < _SMALL_BYTES else array_bytes(array))
            continue
        raw.append(b"")
        output.parameters["shared_memory_region"].string_param = place.region
        output.parameters["shared_memory_byte_size"].int64_param = array.nbytes
        if place.offset:
            output.parameters["shared_memory_offset"].int64_param = place.offset
    return message, raw


def _values(parameters: Mapping[str, InferParameter], names: Sequence[str]) -> Parameters:
    """Return those of the parameters that mean something; there may be very many others."""
    values = {}
    for name in names:
        if name in parameters:
            value = parameters[name]
            kind = value.WhichOneof("parameter_choice")
            if kind is not None:
                values[name] = getattr(value, kind)
    return values

from numbatch.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ActivationFunction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVATION_FUNCTION_UNSPECIFIED: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_LINEAR: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_SIGMOID: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_TANH: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_RELU: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_RELU6: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_LEAKY_RELU: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_ELU: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_SELU: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_GELU_ERF: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_GELU_TANH: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_SILU: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_SOFTPLUS: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_SOFTSIGN: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_HARD_SIGMOID: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_HARD_SILU: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_MISH: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_EXPONENTIAL: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_LOG_SIGMOID: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_SOFTMAX: _ClassVar[ActivationFunction]
    ACTIVATION_FUNCTION_LOG_SOFTMAX: _ClassVar[ActivationFunction]

class Pooling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POOLING_UNSPECIFIED: _ClassVar[Pooling]
    POOLING_SUM: _ClassVar[Pooling]
    POOLING_MEAN: _ClassVar[Pooling]
ACTIVATION_FUNCTION_UNSPECIFIED: ActivationFunction
ACTIVATION_FUNCTION_LINEAR: ActivationFunction
ACTIVATION_FUNCTION_SIGMOID: ActivationFunction
ACTIVATION_FUNCTION_TANH: ActivationFunction
ACTIVATION_FUNCTION_RELU: ActivationFunction
ACTIVATION_FUNCTION_RELU6: ActivationFunction
ACTIVATION_FUNCTION_LEAKY_RELU: ActivationFunction
ACTIVATION_FUNCTION_ELU: ActivationFunction
ACTIVATION_FUNCTION_SELU: ActivationFunction
ACTIVATION_FUNCTION_GELU_ERF: ActivationFunction
ACTIVATION_FUNCTION_GELU_TANH: ActivationFunction
ACTIVATION_FUNCTION_SILU: ActivationFunction
ACTIVATION_FUNCTION_SOFTPLUS: ActivationFunction
ACTIVATION_FUNCTION_SOFTSIGN: ActivationFunction
ACTIVATION_FUNCTION_HARD_SIGMOID: ActivationFunction
ACTIVATION_FUNCTION_HARD_SILU: ActivationFunction
ACTIVATION_FUNCTION_MISH: ActivationFunction
ACTIVATION_FUNCTION_EXPONENTIAL: ActivationFunction
ACTIVATION_FUNCTION_LOG_SIGMOID: ActivationFunction
ACTIVATION_FUNCTION_SOFTMAX: ActivationFunction
ACTIVATION_FUNCTION_LOG_SOFTMAX: ActivationFunction
POOLING_UNSPECIFIED: Pooling
POOLING_SUM: Pooling
POOLING_MEAN: Pooling

class Model(_message.Message):
    __slots__ = ("name", "description", "inputs", "layers", "outputs", "numeric_contract", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    NUMERIC_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    inputs: _containers.RepeatedCompositeFieldContainer[InputSpec]
    layers: _containers.RepeatedCompositeFieldContainer[Layer]
    outputs: _containers.RepeatedScalarFieldContainer[str]
    numeric_contract: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[InputSpec, _Mapping]]] = ..., layers: _Optional[_Iterable[_Union[Layer, _Mapping]]] = ..., outputs: _Optional[_Iterable[str]] = ..., numeric_contract: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class InputSpec(_message.Message):
    __slots__ = ("name", "data_type", "shape")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    data_type: _tensor_pb2.DataType
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., data_type: _Optional[_Union[_tensor_pb2.DataType, str]] = ..., shape: _Optional[_Iterable[int]] = ...) -> None: ...

class Layer(_message.Message):
    __slots__ = ("name", "inputs", "dense", "activation", "softmax", "flatten", "reshape", "batch_normalization", "normalization", "layer_normalization", "add", "multiply", "concatenate", "embedding", "slice")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    SOFTMAX_FIELD_NUMBER: _ClassVar[int]
    FLATTEN_FIELD_NUMBER: _ClassVar[int]
    RESHAPE_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    LAYER_NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    MULTIPLY_FIELD_NUMBER: _ClassVar[int]
    CONCATENATE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    name: str
    inputs: _containers.RepeatedScalarFieldContainer[str]
    dense: Dense
    activation: Activation
    softmax: Softmax
    flatten: Flatten
    reshape: Reshape
    batch_normalization: BatchNormalization
    normalization: Normalization
    layer_normalization: LayerNormalization
    add: Add
    multiply: Multiply
    concatenate: Concatenate
    embedding: Embedding
    slice: Slice
    def __init__(self, name: _Optional[str] = ..., inputs: _Optional[_Iterable[str]] = ..., dense: _Optional[_Union[Dense, _Mapping]] = ..., activation: _Optional[_Union[Activation, _Mapping]] = ..., softmax: _Optional[_Union[Softmax, _Mapping]] = ..., flatten: _Optional[_Union[Flatten, _Mapping]] = ..., reshape: _Optional[_Union[Reshape, _Mapping]] = ..., batch_normalization: _Optional[_Union[BatchNormalization, _Mapping]] = ..., normalization: _Optional[_Union[Normalization, _Mapping]] = ..., layer_normalization: _Optional[_Union[LayerNormalization, _Mapping]] = ..., add: _Optional[_Union[Add, _Mapping]] = ..., multiply: _Optional[_Union[Multiply, _Mapping]] = ..., concatenate: _Optional[_Union[Concatenate, _Mapping]] = ..., embedding: _Optional[_Union[Embedding, _Mapping]] = ..., slice: _Optional[_Union[Slice, _Mapping]] = ...) -> None: ...

class Dense(_message.Message):
    __slots__ = ("units", "kernel", "bias", "activation")
    UNITS_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    units: int
    kernel: Weights
    bias: Weights
    activation: Activation
    def __init__(self, units: _Optional[int] = ..., kernel: _Optional[_Union[Weights, _Mapping]] = ..., bias: _Optional[_Union[Weights, _Mapping]] = ..., activation: _Optional[_Union[Activation, _Mapping]] = ...) -> None: ...

class Activation(_message.Message):
    __slots__ = ("function", "alpha")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    function: ActivationFunction
    alpha: float
    def __init__(self, function: _Optional[_Union[ActivationFunction, str]] = ..., alpha: _Optional[float] = ...) -> None: ...

class Softmax(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Flatten(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Reshape(_message.Message):
    __slots__ = ("shape",)
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, shape: _Optional[_Iterable[int]] = ...) -> None: ...

class BatchNormalization(_message.Message):
    __slots__ = ("mean", "variance", "scale", "offset", "epsilon")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    mean: Weights
    variance: Weights
    scale: Weights
    offset: Weights
    epsilon: float
    def __init__(self, mean: _Optional[_Union[Weights, _Mapping]] = ..., variance: _Optional[_Union[Weights, _Mapping]] = ..., scale: _Optional[_Union[Weights, _Mapping]] = ..., offset: _Optional[_Union[Weights, _Mapping]] = ..., epsilon: _Optional[float] = ...) -> None: ...

class Normalization(_message.Message):
    __slots__ = ("mean", "variance")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    mean: Weights
    variance: Weights
    def __init__(self, mean: _Optional[_Union[Weights, _Mapping]] = ..., variance: _Optional[_Union[Weights, _Mapping]] = ...) -> None: ...

class LayerNormalization(_message.Message):
    __slots__ = ("scale", "offset", "epsilon")
    SCALE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    scale: Weights
    offset: Weights
    epsilon: float
    def __init__(self, scale: _Optional[_Union[Weights, _Mapping]] = ..., offset: _Optional[_Union[Weights, _Mapping]] = ..., epsilon: _Optional[float] = ...) -> None: ...

class Add(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Multiply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Slice(_message.Message):
    __slots__ = ("start", "stop")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    start: int
    stop: int
    def __init__(self, start: _Optional[int] = ..., stop: _Optional[int] = ...) -> None: ...

class Concatenate(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("vocabulary_size", "units", "table", "pooling", "padding_id", "start", "stop")
    VOCABULARY_SIZE_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    POOLING_FIELD_NUMBER: _ClassVar[int]
    PADDING_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    vocabulary_size: int
    units: int
    table: Weights
    pooling: Pooling
    padding_id: int
    start: int
    stop: int
    def __init__(self, vocabulary_size: _Optional[int] = ..., units: _Optional[int] = ..., table: _Optional[_Union[Weights, _Mapping]] = ..., pooling: _Optional[_Union[Pooling, str]] = ..., padding_id: _Optional[int] = ..., start: _Optional[int] = ..., stop: _Optional[int] = ...) -> None: ...

class Weights(_message.Message):
    __slots__ = ("data_type", "shape", "data", "reference")
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    data_type: _tensor_pb2.DataType
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    reference: WeightsReference
    def __init__(self, data_type: _Optional[_Union[_tensor_pb2.DataType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ..., reference: _Optional[_Union[WeightsReference, _Mapping]] = ...) -> None: ...

class WeightsReference(_message.Message):
    __slots__ = ("file", "tensor_name", "sha256")
    FILE_FIELD_NUMBER: _ClassVar[int]
    TENSOR_NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    file: str
    tensor_name: str
    sha256: bytes
    def __init__(self, file: _Optional[str] = ..., tensor_name: _Optional[str] = ..., sha256: _Optional[bytes] = ...) -> None: ...

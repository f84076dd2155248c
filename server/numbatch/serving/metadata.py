"""A loaded model -> the message that describes it."""

from numbatch.engine import LoadedModel
from numbatch.v1.repository_pb2 import LayerSummary, ModelMetadata, ModelStatus, TensorSpec
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, DATA_TYPE_INT32
from numbatch.wire.precision import weights_precision

_DATA_TYPES = {"float32": DATA_TYPE_FLOAT32, "int32": DATA_TYPE_INT32}


def model_metadata(status: ModelStatus, model: LoadedModel) -> ModelMetadata:
    """Return the description of a version."""
    summary = model.summary
    shapes = {layer.name: layer.output_shape for layer in summary.layers}
    return ModelMetadata(
        status=status,
        description=summary.description,
        inputs=[
            TensorSpec(name=spec.name, data_type=_DATA_TYPES[spec.data_type], shape=spec.shape)
            for spec in summary.inputs
        ],
        outputs=[TensorSpec(name=name, data_type=DATA_TYPE_FLOAT32, shape=shapes[name]) for name in summary.outputs],
        layers=[LayerSummary(**layer._asdict()) for layer in summary.layers],
        numeric_contract=summary.numeric_contract,
        instruction_set=model.instruction_set,
        metadata=summary.user_metadata,
        weights_precision=weights_precision(summary.weights_precision),
    )

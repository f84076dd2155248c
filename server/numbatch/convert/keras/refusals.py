"""What cannot be served, and what could be done instead."""

from numbatch.convert.keras.network import Operation
from numbatch.wire.errors import NumbatchError

_BEFORE = "do it where requests are made, and serve what comes after it: keras.Model(layer.output, model.outputs)"
_DENSE_ONLY = "only fully connected networks are served: use Dense, or serve this model elsewhere"
_HINTS = {
    **dict.fromkeys(
        "StringLookup IntegerLookup Discretization CategoryEncoding TextVectorization Hashing HashedCrossing".split(),
        _BEFORE,
    ),
    "Lambda": "its code is not run: write it with layers or with keras.ops, which say what they compute",
    "PReLU": "use LeakyReLU, or train with a slope for all features",
    "TimeDistributed": "Dense works on the last axis as it is: drop the wrapper",
    "EinsumDense": "use Dense, which works on the last axis",
    "Matmul": "a product with constants is served, as a Dense layer; one of two computed tensors is not",
    "GlobalAveragePooling1D": "it is served directly after an Embedding, as its pooling",
    "RMSNormalization": "use LayerNormalization",
    "UnitNormalization": "use LayerNormalization",
}


def refuse(operation: Operation) -> NumbatchError:
    """Return the error for an operation that has no counterpart."""
    kind = operation.kind.removeprefix("ops.")
    if operation.kind.startswith("tf."):
        return operation.refusal("a function of TensorFlow that is not served", hint="use layers or keras.ops")
    if ">" in kind:
        hint = "load the model in Python and pass it, not its file: what its call() does with layers is read then"
        return operation.refusal("a layer of your own", hint=hint)
    what = "a function that is not served" if operation.kind.startswith("ops.") else "a layer that is not served"
    hint = _HINTS.get(kind, "" if operation.kind.startswith("ops.") else _DENSE_ONLY)
    return operation.refusal(what, hint=hint)

"""Floor 2: models in memory. A Model message becomes a validated plan, packed weights, and one compiled call per batch.

It knows no gRPC and can be used without a server:

>>> from numbatch.engine import load_model
>>> from numbatch.models import Dense, Input, Sequential
>>> network = Sequential([Input((10,)), Dense(3, "sigmoid"), Dense(5, "sigmoid")], name="tiny", seed=1)
>>> model = load_model(network)
>>> model.infer([[0.5] * 10] * 4).shape
(4, 5)
"""

from numbatch.engine.files import read_model
from numbatch.engine.footprint import Footprint, footprint
from numbatch.engine.loaded import LoadedModel, load_model
from numbatch.engine.specs import ArraySpec, LayerInfo, ModelSummary
from numbatch.engine.threads import compute_threads, set_compute_threads, set_helpers_niceness
from numbatch.engine.validation import validate_model
from numbatch.kernels.processors import available_cpus

__all__ = [
    "ArraySpec",
    "Footprint",
    "LayerInfo",
    "LoadedModel",
    "ModelSummary",
    "available_cpus",
    "compute_threads",
    "footprint",
    "load_model",
    "read_model",
    "set_compute_threads",
    "set_helpers_niceness",
    "validate_model",
]

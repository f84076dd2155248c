"""Building models by hand, as in Keras: symbols, layers and models; then a message that engines and servers load.

>>> model = Sequential([Input((10,)), Dense(3, "sigmoid"), Dense(5, "sigmoid")], name="tiny", seed=1)
>>> model.layers[0].kernel.shape
(10, 3)
>>> message = model.to_message()  # what numbatch.engine.load_model(model) and client.load_model(model) take
>>> [layer.name for layer in message.layers]
['dense', 'dense_1']

It needs numpy and protobuf, and computes nothing: training is left to others, numbers to the engine.
"""

from numbatch.models import initializers
from numbatch.models.activations import ELU, Activation, LeakyReLU, ReLU, Softmax
from numbatch.models.dense import Dense, Embedding
from numbatch.models.files import write_model
from numbatch.models.inputs import Input
from numbatch.models.layer import Add, Layer, Multiply, Rescaling, Symbol
from numbatch.models.model import Model
from numbatch.models.normalization import BatchNormalization, LayerNormalization, Normalization
from numbatch.models.sequential import Sequential
from numbatch.models.shaping import Concatenate, Dropout, Flatten, Reshape

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Input",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Model",
    "Multiply",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Sequential",
    "Softmax",
    "Symbol",
    "initializers",
    "write_model",
]

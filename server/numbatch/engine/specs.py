"""What there is to say about a model without running it."""

import math
from typing import NamedTuple


class ArraySpec(NamedTuple):
    """One array that goes in or comes out, described for one example.

    Attributes
    ----------
    name : str
        The input or the layer.
    shape : tuple of int
        Its axes, without the batch.
    data_type : str
        "float32", or "int32" for row numbers of lookup tables.
    """

    name: str
    shape: tuple[int, ...]
    data_type: str = "float32"

    @property
    def integer(self) -> bool:
        """Whether it holds row numbers of lookup tables."""
        return self.data_type == "int32"

    @property
    def elements(self) -> int:
        """The number of elements of one example."""
        return math.prod(self.shape)


class LayerInfo(NamedTuple):
    """One layer.

    Attributes
    ----------
    name : str
        Given, or made from the kind and the position.
    kind : str
        As its field in the Layer message is called: "dense", "softmax".
    inputs : tuple of str
        The layers or model inputs that it takes.
    output_shape : tuple of int
        The axes of one example of its output, without the batch.
    parameter_count : int
        Weights and biases.
    packed_bytes : int
        Their size in memory as the kernels read them.
    activation : str
        "relu" and so on, or "" where it has none.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output_shape: tuple[int, ...]
    parameter_count: int
    packed_bytes: int
    activation: str


class ModelSummary(NamedTuple):
    """A valid model, described.

    Attributes
    ----------
    name : str
        Its name.
    description : str
        What it is, for people.
    inputs : tuple of ArraySpec
        The arrays that a request brings.
    layers : tuple of LayerInfo
        In the order of computation.
    outputs : tuple of str
        The layers that come back where a request names none.
    numeric_contract : str
        "f32-1".
    weights_precision : str
        That in which the weights are kept: "f32" or "bf16". Of a model that is not loaded, "f32".
    user_metadata : dict of str to str
        Free text that came with it.
    """

    name: str
    description: str
    inputs: tuple[ArraySpec, ...]
    layers: tuple[LayerInfo, ...]
    outputs: tuple[str, ...]
    numeric_contract: str
    weights_precision: str
    user_metadata: dict[str, str]

    @property
    def parameter_count(self) -> int:
        """All weights and biases."""
        return sum(layer.parameter_count for layer in self.layers)

    @property
    def packed_bytes(self) -> int:
        """The size of all parameters in memory."""
        return sum(layer.packed_bytes for layer in self.layers)

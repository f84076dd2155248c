"""What is written of a layer of numbatch: its description in Keras, and its variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numbatch.engine.graph import Node
from numbatch.engine.weights import WeightsReader
from numbatch.wire.layers import parameters_of
from numbatch.wire.tensors import Array


@dataclass(frozen=True)
class Written:
    """A layer or function of Keras.

    Attributes
    ----------
    config : dict
        As it stands in config.json.
    inputs : tuple of str
        The names of what it takes.
    variables : list of ndarray
        In the order in which Keras saves them.
    """

    config: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    variables: list[Array] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name in the file."""
        return str(self.config["name"])

    @property
    def kind(self) -> str:
        """Its class."""
        return str(self.config["class_name"])

    @property
    def is_function(self) -> bool:
        """Whether it is one of `keras.ops`, which are no layers."""
        return str(self.config["module"]).startswith("keras.src.ops")


class LayerWriter:
    """Writes one layer of numbatch.

    Parameters
    ----------
    node : Node
        The layer.
    names : mapping of str to str
        What the model's layers and inputs are called in the file.
    taken : set of str
        All names in the file.
    reader : WeightsReader
        What reads the model's weights.
    """

    def __init__(self, node: Node, names: Mapping[str, str], taken: set[str], reader: WeightsReader) -> None:
        self.node = node
        self.written: list[Written] = []
        self.name = names[node.name]
        self.inputs = tuple(names[each] for each in node.inputs)
        self._taken = taken
        self._arrays: dict[str, Array] = {}
        message = getattr(node.layer, node.kind)
        for parameter in parameters_of(node.layer, node.input_shape):
            if parameter.required or message.HasField(parameter.name):
                place = f"{node.field}.{node.kind}.{parameter.name}"
                self._arrays[parameter.name] = reader.read(getattr(message, parameter.name), parameter.shape, place)

    def arrays(self, *names: str) -> list[Array]:
        """Return those of some arrays that the layer has."""
        return [self._arrays[name] for name in names if name in self._arrays]

    def has(self, name: str) -> bool:
        """Return whether the layer has an array."""
        return name in self._arrays

    def helper(self, part: str) -> str:
        """Return a name for something before the layer itself."""
        unique, number = f"{self.name}_{part}", 0
        while unique in self._taken:
            number += 1
            unique = f"{self.name}_{part}_{number}"
        self._taken.add(unique)
        return unique

    def layer(
        self,
        kind: str,
        config: Mapping[str, Any],
        variables: Sequence[Array] = (),
        *,
        inputs: tuple[str, ...] | None = None,
        name: str = "",
        built: Sequence[int] | None = None,
        module: str = "keras.layers",
        arguments: Sequence[Any] = (),
    ) -> str:
        """Add a layer, or with its module a function, and return its name.

        Parameters
        ----------
        kind, config, variables, inputs
            As in `Written`; the inputs are by default the layer's.
        name : str
            Default: the layer's.
        built : sequence of int, optional
            The shape of an example that it takes, for what has variables.
        module : str
            Where Keras has it.
        arguments : sequence
            What it is called with beside tensors.
        """
        name, inputs = name or self.name, self.inputs if inputs is None else inputs
        is_layer = module == "keras.layers"
        # Functions of Keras 3.10 take no name, and later ones make one of their class.
        own = {"name": name, "trainable": True, "dtype": "float32", **config} if is_layer else dict(config)
        described: dict[str, Any] = {
            "module": module,
            "class_name": kind,
            "config": own,
            "registered_name": None if is_layer else kind,
        }
        if built is not None:
            described["build_config"] = {"input_shape": [None, *built]}
        tensors = [_tensor(each) for each in inputs]
        args = [*(tensors if len(tensors) == 1 else [tensors]), *arguments]
        described |= {"name": name, "inbound_nodes": [{"args": args, "kwargs": {}}]}
        self.written.append(Written(described, inputs, list(variables)))
        return name


def _tensor(name: str) -> dict[str, Any]:
    # The shape is found out by Keras; this one only has to be there.
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None], "dtype": "float32", "keras_history": [name, 0, 0]},
    }

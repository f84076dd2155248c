"""Reading an architecture from its description: what `get_config` returns and `config.json` holds."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from numbatch.convert.keras.arguments import read_arguments
from numbatch.convert.keras.network import Call, Network, Operation, Ref, corrupt
from numbatch.convert.keras.tf_functions import function_of_tensorflow

# The classes of Keras' own models, in all its versions.
MODELS = {"Functional", "Model", "Sequential"}
_DEEPEST = 64


def read_network(description: Mapping[str, Any], *, path: str = "", depth: int = 0) -> Network:
    """Return the network that a model's description says.

    Parameters
    ----------
    description : mapping
        With `class_name` and `config`, as `model.to_json()` has them.
    path : str
        Where the model's layers are in a `.weights.h5`.
    depth : int
        How deep it is nested.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if it is no description of a model.
    UnsupportedError
        LAYER_UNSUPPORTED, if it is one of a class whose `call` only Python knows.
    """
    kind = str(description.get("class_name"))
    config = description.get("config")
    if isinstance(config, list):  # a Sequential of Keras 1 and early 2
        config = {"layers": config}
    if not isinstance(config, Mapping):
        raise corrupt("no description of a model", got=type(config).__name__, expected="class_name and config")
    name = str(config.get("name") or description.get("name") or "")
    if depth > _DEEPEST:
        raise corrupt("nested too deep", field=name, expected=f"at most {_DEEPEST} models in each other")
    if not is_model(description):
        model = Operation(name or kind, kind)
        hint = "load it in Python and pass the model itself, or build it with keras.Model(inputs, outputs)"
        raise model.refusal("a class of its own, whose call() its file does not hold", hint=hint)
    try:
        if "input_layers" in config and "output_layers" in config:
            return _functional(name, kind, config, path, depth)
        return _sequential(name, kind, description, config, path, depth)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as broken:
        raise corrupt("its description cannot be read", field=name, got=repr(broken)) from broken


def is_model(description: Mapping[str, Any]) -> bool:
    """Return whether a description is one of a model with its layers, and how they are wired.

    A layer or model of a user's own may have "layers" in its config, and do with them what it wants.
    """
    config, kind = description.get("config"), description.get("class_name")
    if isinstance(config, list):
        return kind == "Sequential"
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
        return False
    return kind in MODELS or {"input_layers", "output_layers"} <= config.keys()


def _functional(name: str, kind: str, config: Mapping[str, Any], path: str, depth: int) -> Network:
    operations: dict[str, Operation] = {}
    paths = _Paths(path)
    for layer in config["layers"]:
        operation, network = _operation(layer, paths, depth)
        for node in layer.get("inbound_nodes", []):
            args, kwargs = read_arguments(node)
            operation.calls.append(Call(args, kwargs, network))
        operations[operation.name] = operation
    listed = {each["config"].get("name") or each["name"]: each for each in config["layers"]}
    first = {each: _first_node(layer) for each, layer in listed.items()}
    _renumber(operations, first)
    inputs, outputs = (_structure(config[key], first) for key in ("input_layers", "output_layers"))
    return Network(name, operations, inputs, outputs, kind)


def _sequential(
    name: str, kind: str, description: Mapping[str, Any], config: Mapping[str, Any], path: str, depth: int
) -> Network:
    layers = list(config["layers"])
    paths = _Paths(path)
    if not layers or _class(layers[0]) != "InputLayer":
        shape = _first_shape(description, config, layers)
        layers.insert(
            0, {"class_name": "InputLayer", "config": {"name": f"{name or 'model'}_input", "batch_shape": shape}}
        )
    operations: dict[str, Operation] = {}
    previous = Ref("")
    for layer in layers:
        operation, network = _operation(layer, paths, depth)
        if operation.kind != "InputLayer":
            operation.calls.append(Call((previous,), {}, network))
        key = operation.name
        while key in operations:
            key += "'"
        operations[key] = operation
        previous = Ref(key)
    return Network(name, operations, Ref(next(iter(operations))), previous, kind)


def _operation(layer: Mapping[str, Any], paths: "_Paths", depth: int) -> tuple[Operation, Network | None]:
    config = dict(layer["config"]) if isinstance(layer["config"], Mapping) else {"layers": layer["config"]}
    name = str(layer.get("name") or config.get("name") or _class(layer))
    kind = _kind(layer, config)
    path = "" if kind.startswith("ops.") else paths.next(_class(layer))
    if is_model(layer):
        network = read_network(layer, path=path, depth=depth + 1)
        return Operation(name, kind, config, trainable=config.get("trainable", True) is not False, path=path), network
    if kind.startswith("tf."):
        kind, config = function_of_tensorflow(kind, config)
    return Operation(name, kind, config, trainable=config.get("trainable", True) is not False, path=path), None


def _class(layer: Mapping[str, Any]) -> str:
    return str(layer["class_name"]).rpartition(">")[2]


def _kind(layer: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    name, module = _class(layer), str(layer.get("module") or "")
    if name in ("TFOpLambda", "SlicingOpLambda"):
        return f"tf.{config.get('function')}"
    registered = str(layer.get("registered_name") or "")
    if ">" in registered or ">" in str(layer["class_name"]):
        return registered or str(layer["class_name"])
    if module.startswith(("keras.src.ops", "keras.ops", "keras.src.activations", "keras.src.backend")):
        return f"ops.{name}"
    if module and not re.match(r"(tf_)?keras(\.|$)", module):
        return f"{module}>{name}"
    # Old files give no module; functions have no `trainable`, which every layer has.
    is_function = not module and name not in ("InputLayer", *MODELS) and set(config) and "trainable" not in config
    return f"ops.{name}" if is_function and "dtype" not in config else name


def _first_node(layer: Mapping[str, Any]) -> tuple[int, int]:
    """Return which number Keras gives to the first call of a layer: in other layers' arguments, and among the outputs.

    A model that is nested has a call before all others, that of its own making.
    """
    nodes = layer.get("inbound_nodes", [])
    if not is_model(layer) or not nodes:
        return 0, 0
    if not isinstance(nodes[0], Mapping):
        return 1, 1
    return 0, int("input_layers" in layer["config"])


def _renumber(operations: Mapping[str, Operation], first: Mapping[str, tuple[int, int]]) -> None:
    def renumbered(value: Any) -> Any:
        if isinstance(value, Ref):
            return value._replace(call=value.call - first[value.operation][0])
        if isinstance(value, Mapping):
            return {key: renumbered(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(renumbered(each) for each in value)
        return value

    for operation in operations.values():
        operation.calls[:] = [
            Call(renumbered(call.args), renumbered(call.kwargs), call.network) for call in operation.calls
        ]


def _structure(data: Any, first: Mapping[str, tuple[int, int]]) -> Any:
    if isinstance(data, Mapping):
        if data.get("class_name") == "__tuple__":
            return _structure(data["config"]["value"], first)
        return {key: _structure(each, first) for key, each in data.items()}
    if len(data) == 3 and isinstance(data[0], str):
        return Ref(data[0], int(data[1]) - first[data[0]][1], int(data[2]))
    return [_structure(each, first) for each in data]


def _first_shape(description: Mapping[str, Any], config: Mapping[str, Any], layers: Iterable[Any]) -> Any:
    """Return the input's shape of a Sequential that begins without an InputLayer, or None."""
    build = description.get("build_config")
    given = config.get("build_input_shape") or (build.get("input_shape") if isinstance(build, Mapping) else None)
    if given:
        return given
    for layer in layers:
        own = layer["config"] if isinstance(layer["config"], Mapping) else {}
        shape = own.get("batch_input_shape") or own.get("batch_shape")
        if shape is None and is_model(layer):
            inner = own.get("layers") or layer["config"]
            shape = _first_shape(layer, own, inner)
            first = inner[0]["config"] if isinstance(inner[0]["config"], Mapping) else {}
            shape = shape or first.get("batch_shape") or first.get("batch_input_shape")
        return shape
    return None


class _Paths:
    """Names the places of layers in a `.weights.h5`: by their classes, numbered."""

    def __init__(self, above: str) -> None:
        self._above = above
        self._numbers: dict[str, int] = {}

    def next(self, kind: str) -> str:
        name = snake_case(kind)
        number = self._numbers.get(name, -1) + 1
        self._numbers[name] = number
        name = f"{name}_{number}" if number else name
        return f"{self._above}/layers/{name}" if self._above else f"layers/{name}"


def snake_case(name: str) -> str:
    """Return the name that Keras makes of a class: "LeakyReLU" becomes "leaky_re_lu"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()

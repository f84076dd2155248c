"""Reading a model that lives in Python: the calls that Keras has recorded, or that tracing finds.

Of Functional and Sequential models Keras has recorded what calls what. The `call` of any other model, and of layers
that are built of layers, is called here with symbolic tensors, and what it does with layers and `keras.ops` is read.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from numbatch.convert.keras.described import snake_case
from numbatch.convert.keras.network import Call, Network, Operation, Ref
from numbatch.convert.keras.variables import WITHOUT_VARIABLES, name_variables, variable_names
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

_DEEPEST = 64
_WRAP = "or wrap it: keras.Model(inputs, model(inputs)), with keras.Input(shape) for each input"


def read_live(model: Any) -> Network:
    """Return the network of a live model, with the variables of its layers.

    Raises
    ------
    NumbatchError
        FEATURE_UNSUPPORTED, if its `call` does what cannot be traced; MODEL_INVALID, if it was never built.
    """
    return _network(model, 0, lambda: _inputs_of(model))


def _network(model: Any, depth: int, inputs: Any) -> Network:
    if depth > _DEEPEST:
        raise error(Reason.FEATURE_UNSUPPORTED, "nested too deep", field=model.name, expected=f"at most {_DEEPEST}")
    base = _base(model)
    recorder = _Recorder(depth)
    if base == "Functional":
        return recorder.network(model, model.input, model.output)
    if base == "Sequential" and model.inputs:
        return recorder.network(model, model.inputs, model.outputs)
    args, kwargs = inputs()
    return _Recorder(depth, names_functions=True).network(model, [args, kwargs], _traced(model, args, kwargs))


def _base(operation: Any) -> str:
    """Return the class of Keras that says what an operation computes, or "" if a `call` of its user's does."""
    own: Any = type(operation)
    for base in own.__mro__:
        if base.__module__.partition(".")[0] == "keras":
            return str(base.__name__) if own.call is base.call else ""
    return ""


def _traced(model: Any, args: Any, kwargs: Any) -> Any:
    try:
        return model.call(*args, **kwargs)
    except Exception as failure:  # whatever the code of a user raises
        raise error(
            Reason.FEATURE_UNSUPPORTED,
            f"its call() cannot be traced: {type(failure).__name__}: {failure}",
            field=model.name,
            got=type(model).__name__,
            expected="a call() of layers and keras.ops, without TensorFlow's or NumPy's functions",
            hint=_WRAP,
        ) from failure


def _inputs_of(model: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return symbolic inputs for a model, of the shapes that it was built with."""
    built = model.get_build_config() or {}
    if built.get("input_shape"):
        return (_symbolic(built["input_shape"], "input"),), {}
    shapes = built.get("shapes_dict")
    if not shapes:
        raise error(
            Reason.MODEL_INVALID,
            "the model was never built, so the shapes of its inputs are not known",
            field=model.name,
            got=type(model).__name__,
            hint=f"call it once with arrays: model(x); {_WRAP}",
        )
    names = {key: key.removesuffix("_shape") for key in shapes}
    return (), {name: _symbolic(shapes[key], name) for key, name in names.items()}


def _symbolic(shape: Any, name: str) -> Any:
    if isinstance(shape, Mapping):
        return {key: _symbolic(each, str(key)) for key, each in shape.items()}
    if any(isinstance(each, list | tuple) for each in shape):
        return [_symbolic(each, f"{name}_{i}") for i, each in enumerate(shape)]
    return keras.Input(tuple(shape)[1:], name=name)


class _Recorder:
    """Reads what was called, from outputs back to inputs.

    Parameters
    ----------
    depth : int
        Of the network in others.
    names_functions : bool
        True: functions of `keras.ops` are named here, "add", "add_1", for the names that Keras gives them while tracing
        go on from one trace to the next.
    """

    def __init__(self, depth: int, *, names_functions: bool = False) -> None:
        self._depth = depth
        self._names_functions = names_functions
        self._operations: dict[str, Operation] = {}
        # By the operation's id and Keras' number of the call.
        self._refs: dict[tuple[int, int], Ref] = {}

    def network(self, model: Any, inputs: Any, outputs: Any) -> Network:
        """Return the network from inputs to outputs, both in structures of symbolic tensors."""
        taken = [self._input(each) for each in keras.tree.flatten(inputs) if _is_tensor(each)]
        given = keras.tree.flatten(outputs)
        for each in given:
            if not _is_tensor(each):
                problem = f"its call() returns {type(each).__name__}"
                raise error(Reason.FEATURE_UNSUPPORTED, problem, field=model.name, expected="tensors")
        found = self._found(given)
        calls: dict[int, list[int]] = {}
        for operation, number in found:
            calls.setdefault(id(operation), []).append(number)
        keys: dict[int, str] = {}
        for operation, _ in found:
            key = keys.get(id(operation)) or self._new(_operation(operation))
            keys[id(operation)] = key
            numbers = sorted(calls[id(operation)])
            self._refs.update({(id(operation), number): Ref(key, i) for i, number in enumerate(numbers)})
        for operation, number in sorted(found, key=lambda each: each[1]):
            self._record(operation, self._operations[keys[id(operation)]], operation._inbound_nodes[number].arguments)
        return Network(
            model.name, self._operations, taken, keras.tree.map_structure(self._ref, outputs), type(model).__name__
        )

    def _input(self, tensor: Any) -> Ref:
        operation, number, _ = tensor._keras_history
        config = {"batch_shape": list(tensor.shape), "dtype": str(tensor.dtype)}
        ref = Ref(self._new(Operation(operation.name, "InputLayer", config)))
        self._refs[id(operation), number] = ref
        return ref

    def _found(self, outputs: list[Any]) -> list[tuple[Any, int]]:
        """Return the calls that outputs come of, each after those whose outputs it takes: depth first."""
        found: dict[tuple[int, int], tuple[Any, int]] = {}
        waiting = list(reversed(outputs))
        while waiting:
            operation, number, _ = waiting[-1]._keras_history
            key = (id(operation), number)
            if key in found or key in self._refs:
                waiting.pop()
                continue
            taken = operation._inbound_nodes[number].input_tensors
            if not taken:
                problem = "a tensor that is neither computed from the inputs nor one of them"
                raise error(Reason.FEATURE_UNSUPPORTED, problem, field=operation.name)
            missing = [each for each in taken if _key(each) not in found and _key(each) not in self._refs]
            waiting += reversed(missing)
            if not missing:
                found[key] = (operation, number)
        return list(found.values())

    def _record(self, operation: Any, recorded: Operation, arguments: Any) -> None:
        args, kwargs = arguments.args, dict(arguments.kwargs)
        network = None
        if recorded.kind in ("Functional", "Sequential") or ">" in recorded.kind:
            network = _network(operation, self._depth + 1, lambda: _fresh((args, kwargs)))
        recorded.calls.append(Call(tuple(self._value(each) for each in args), self._value(kwargs), network))

    def _new(self, recorded: Operation) -> str:
        if self._names_functions and recorded.kind.startswith("ops."):
            recorded.name = snake_case(recorded.kind.removeprefix("ops."))
        key, number = recorded.name, 0
        while key in self._operations:
            number += 1
            key = f"{recorded.name}_{number}"
        recorded.name = key
        self._operations[key] = recorded
        return key

    def _ref(self, tensor: Any) -> Ref:
        return self._refs[_key(tensor)]._replace(output=tensor._keras_history[2])

    def _value(self, value: Any) -> Any:
        if _is_tensor(value):
            return self._ref(value)
        if isinstance(value, Mapping):
            return {key: self._value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        if isinstance(value, keras.Variable) or keras.ops.is_tensor(value):
            return array_of_variable(value)
        return value


def _key(tensor: Any) -> tuple[int, int]:
    operation, number, _ = tensor._keras_history
    return id(operation), number


def _operation(operation: Any) -> Operation:
    base = _base(operation)
    module = next((each.__module__ for each in type(operation).__mro__ if each.__name__ == base), "")
    if not base:
        kind = f"{type(operation).__module__}>{type(operation).__name__}"
    elif isinstance(operation, keras.Layer):
        kind = base
    else:
        kind = f"ops.{base}" if module.startswith("keras.") else base
    known = kind.startswith("ops.") or kind in WITHOUT_VARIABLES or variable_names(Operation("", kind)) is not None
    config = dict(operation.get_config()) if known and kind != "Lambda" else {}
    recorded = Operation(operation.name, kind, config)
    if known and isinstance(operation, keras.Layer):
        stored: dict[str, Any] = {}
        operation.save_own_variables(stored)
        if not getattr(operation, "quantization_mode", None):
            name_variables(recorded, [array_of_variable(stored[str(i)]) for i in range(len(stored))])
    return recorded


def _fresh(structure: Any) -> Any:
    """Return the arguments of a call with new symbolic tensors in place of its own, and constants as they are."""

    def fresh(value: Any) -> Any:
        return keras.Input(batch_shape=value.shape, dtype=value.dtype) if _is_tensor(value) else value

    return keras.tree.map_structure(fresh, structure)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def array_of_variable(value: Any) -> Array:
    """Return a variable or a tensor of any of Keras' backends as an array."""
    # As a tensor first: a variable of TensorFlow becomes an array only with a warning of NumPy.
    array = np.asarray(keras.ops.convert_to_numpy(keras.ops.copy(value)))
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array

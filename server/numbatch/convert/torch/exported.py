"""Reading a module in memory: torch.export traces it, and its graph becomes a `Program`."""

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import Dim, ExportedProgram, ShapesCollection, export
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument

from numbatch.convert.torch.program import ArrayInfo, Constant, ModuleCall, Node, Program, Ref
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_WEIGHTS = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
_LONGEST_REASON = 300


def trace(
    module: torch.nn.Module, args: tuple[torch.Tensor, ...], kwargs: Mapping[str, torch.Tensor]
) -> ExportedProgram:
    """Return what torch.export makes of a module in evaluation mode, for any number of rows.

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, if it cannot, or only for a fixed number of rows.
    InvalidArgumentError
        INVALID_FIELD, if it cannot be called so.
    """
    shapes = ShapesCollection()
    for tensor in (*args, *kwargs.values()):
        shapes[tensor] = {0: Dim.AUTO}
    field = type(module).__name__
    with torch.no_grad():
        try:
            module(*args, **kwargs)
        except Exception as unfit:  # whatever is raised while the user's own forward runs
            hint = "give example=, a tensor or a tuple or dict of them with the batch as first axis"
            problem = f"it cannot be called with {_shapes(args, kwargs)}: {_reason(unfit)}"
            raise error(Reason.INVALID_FIELD, problem, field="example", hint=hint) from unfit
        try:
            program = export(module, args, dict(kwargs), dynamic_shapes=shapes)
        except Exception as untraceable:
            hint = "forward must not branch on values, and must work for any number of rows"
            problem = f"torch.export cannot trace it: {_reason(untraceable)}"
            raise error(Reason.FEATURE_UNSUPPORTED, problem, field=field, hint=hint) from untraceable
    for name, info in _arrays(program).items():
        if name in program.graph_signature.user_inputs and isinstance(info.shape[0], int):
            raise _fixed(field, name, info.shape[0])
    return program


def _reason(problem: Exception) -> str:
    first = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
    return f"{type(problem).__name__}: {first}"[:_LONGEST_REASON]


def _shapes(args: tuple[torch.Tensor, ...], kwargs: Mapping[str, torch.Tensor]) -> str:
    every = [*args, *kwargs.values()]
    return " and ".join(f"{str(each.dtype).removeprefix('torch.')} {list(each.shape)}" for each in every)


def read_exported(exported: ExportedProgram) -> Program:
    """Return the program that torch.export made."""
    signature, constants = exported.graph_signature, {}
    inputs: list[str] = []
    for spec in signature.input_specs:
        if spec.kind in _WEIGHTS and spec.target is not None:
            stored: Any = exported.constants if spec.target in exported.constants else exported.state_dict
            constants[spec.arg.name] = Constant(spec.target, _array(stored[spec.target]))
        else:
            inputs.append(_user_array(spec.arg))
    outputs = [_user_array(spec.arg) for spec in signature.output_specs if spec.kind is OutputKind.USER_OUTPUT]
    nodes = [_node(node) for node in exported.graph.nodes if _is_call(node)]
    return Program(tuple(inputs), tuple(outputs), constants, tuple(nodes), _arrays(exported))


def _user_array(argument: Any) -> str:
    if not isinstance(argument, TensorArgument):
        got = type(getattr(argument, "value", argument)).__name__
        hint = "let forward take and return tensors only"
        problem = "an input or output that is no tensor"
        raise error(
            Reason.FEATURE_UNSUPPORTED, problem, field=str(argument.name), got=got, expected="tensors", hint=hint
        )
    return str(argument.name)


def _is_call(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and not _is_part(node)


def _is_part(node: torch.fx.Node) -> bool:
    """Whether a node only picks one of the outputs of another."""
    return node.target is operator.getitem and isinstance(node.args[0], torch.fx.Node)


def _node(node: torch.fx.Node) -> Node:
    schema = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema else [f"{i}" for i in range(len(node.args))]
    arguments = {name: _argument(each) for name, each in zip(names, node.args, strict=False)}
    arguments |= {name: _argument(each) for name, each in node.kwargs.items()}
    parts = {int(user.args[1]): user.name for user in node.users if _is_part(user)}
    several = isinstance(node.meta.get("val"), list | tuple)
    outputs = [parts.get(i, f"{node.name}:{i}") for i in range(len(node.meta["val"]))] if several else [node.name]
    stack = node.meta.get("nn_module_stack", {})
    modules = [ModuleCall(key, path, _class_name(kind)) for key, (path, kind) in stack.items()]
    target = str(node.target) if schema else f"_operator.{getattr(node.target, '__name__', node.target)}"
    return Node(target, arguments, tuple(outputs), tuple(modules))


def _argument(argument: Any) -> Any:
    if isinstance(argument, torch.fx.Node):
        return Ref(argument.name)
    if isinstance(argument, list | tuple):
        return [_argument(each) for each in argument]
    return str(argument).removeprefix("torch.") if isinstance(argument, torch.dtype) else argument


def _arrays(exported: ExportedProgram) -> dict[str, ArrayInfo]:
    arrays = {}
    for node in exported.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor):
            shape = tuple(each if isinstance(each, int) else str(each) for each in value.shape)
            arrays[node.name] = ArrayInfo(shape, str(value.dtype).removeprefix("torch."))
    return arrays


def _class_name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else str(kind)


def _array(tensor: torch.Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()


def _fixed(field: str, name: str, rows: int) -> NumbatchError:
    hint = "write forward so that it works for any number of rows: x.flatten(1) or x.view(len(x), -1)"
    problem = f"its graph is for {rows} rows of {name} only, as many as in the example"
    return error(Reason.FEATURE_UNSUPPORTED, problem, field=field, expected="any number of rows", hint=hint)

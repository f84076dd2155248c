"""Reading what torch.export.save wrote, a .pt2 file, without PyTorch and without unpickling anything.

The file is a zip archive of uncompressed files in one folder: `models/<name>.json`, the graph; `data/weights/` and
`data/constants/`, the elements of each array as they lie in memory, with a JSON table of types and axes beside them.
`data/sample_inputs/` is pickled, and so is what the tables mark so; neither is opened. (torch.export.load of PyTorch
2.13 does unpickle them, the former with weights_only=True first and, where that fails, without.)
"""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.convert.torch.elements import read_elements
from numbatch.convert.torch.program import ArrayInfo, Constant, Length, ModuleCall, Node, Program, Ref
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

# The numbers of torch.export's schema, which change incompatibly with the first.
_SCHEMA = 8
_TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"} | {
    12: "bool",
    13: "bfloat16",
}
_SYMBOL = re.compile(r"Symbol\('(\w+)'[^()]*\)")
_HINT = "export the module again with PyTorch 2.9 or newer: torch.export.save(torch.export.export(module, ...), path)"


# What comes of content that is not as torch.export writes it.
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)


def not_as_written(path: Path, malformed: Exception) -> NumbatchError:
    """Return the error for a file whose content does not hold together."""
    return _corrupt(path.name, f"malformed: {type(malformed).__name__}: {malformed}")


def read_archive(path: Path) -> Program:
    """Return the program in a .pt2 file.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if it is none.
    UnsupportedError
        FEATURE_UNSUPPORTED, if it is of another version, or holds what would have to be unpickled.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(_Folder(archive, path.name))
    except OSError as unreadable:
        raise _corrupt(path.name, unreadable.strerror or "it cannot be read") from unreadable
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as broken:
        raise _corrupt(path.name, "no zip archive, or a truncated one") from broken
    except MALFORMED as malformed:
        raise not_as_written(path, malformed) from malformed


class _Folder:
    """The one folder of an archive."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._archive = archive
        self._files = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}

    def matching(self, pattern: str) -> list[str]:
        return [file for file in self._files if re.fullmatch(pattern, file)]

    def read(self, file: str) -> bytes:
        entry = self._files[file]
        if entry.compress_type != zipfile.ZIP_STORED:  # torch.export compresses nothing, and a bomb would
            raise _corrupt(self.name, f"{file} is compressed, which torch.export does not do")
        return self._archive.read(entry)


def _read(folder: _Folder) -> Program:
    models = folder.matching(r"models/[^/]+\.json")
    if len(models) != 1:
        got = "an archive of another version" if not models else f"{len(models)} programs"
        raise _unsupported(folder.name, "", got=got, expected="one program of torch.export.save")
    model = json.loads(folder.read(models[0]))
    major, minor = model["schema_version"]["major"], model["schema_version"]["minor"]
    if major != _SCHEMA or folder.read("byteorder").strip() != b"little":
        raise _unsupported(folder.name, "", got=f"schema {major}.{minor}", expected=f"schema {_SCHEMA}, little-endian")
    name = models[0].removeprefix("models/").removesuffix(".json")
    stored: dict[str, Array] = {}
    for kind in ("weights", "constants"):
        table = json.loads(folder.read(f"data/{kind}/{name}_{kind}_config.json"))["config"]
        stored |= {path: _array(folder, f"data/{kind}", path, entry) for path, entry in table.items()}
    graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
    inputs, constants = [], {}
    for spec in signature["input_specs"]:
        (kind, content), *_ = spec.items()
        if kind == "user_input":
            inputs.append(_input(folder.name, content["arg"]))
        elif kind in ("parameter", "buffer", "tensor_constant"):
            constants[content["arg"]["name"]] = _constant(content[f"{kind}_name"], stored)
        else:
            raise _unsupported(folder.name, "an input", got=kind, expected="arrays")
    outputs = [spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec]
    arrays = {
        key: ArrayInfo(tuple(map(_length, info["sizes"])), _data_type(info["dtype"]))
        for key, info in graph["tensor_values"].items()
    }
    nodes = tuple(map(_node, graph["nodes"]))
    program = Program(tuple(inputs), tuple(_input(folder.name, each) for each in outputs), constants, nodes, arrays)
    _check_names(program)
    return program


def _check_names(program: Program) -> None:
    """Raise a KeyError if an array is taken before it is there, or nothing is known of it."""
    for name in (*program.inputs, *program.constants):
        program.arrays[name]
    there = {*program.inputs, *program.constants}
    for node in program.nodes:
        if missing := set(node.taken()) - there:
            raise KeyError(*missing)
        there.update(node.outputs)
    if missing := set(program.outputs) - there:
        raise KeyError(*missing)


def _input(file: str, argument: Mapping[str, Any]) -> str:
    if "as_tensor" not in argument:
        got = next(iter(argument), "none").removeprefix("as_")
        raise _unsupported(file, "an input or output that is no array", got=got, expected="arrays")
    return str(argument["as_tensor"]["name"])


def _constant(path: str, stored: Mapping[str, Array]) -> Constant:
    return Constant(path, stored[path])


def _array(folder: _Folder, where: str, path: str, entry: Mapping[str, Any]) -> Array:
    meta = entry["tensor_meta"]
    if entry["use_pickle"] or meta is None:
        raise _unsupported(folder.name, f"the array {path} is pickled, and opening it could run any code", hint=_HINT)
    shape, strides = ([int(each["as_int"]) for each in meta[key]] for key in ("sizes", "strides"))
    offset, data_type = int(meta["storage_offset"]["as_int"]), _data_type(meta["dtype"])
    storage = read_elements(folder.read(f"{where}/{entry['path_name']}"), data_type, path)
    if min([offset, *shape, *strides], default=0) < 0:
        raise _corrupt(folder.name, f"the array {path} has a negative axis, stride or place")
    if not all(shape):
        return np.empty(shape, storage.dtype)
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if last >= storage.size:
        raise _corrupt(folder.name, f"the array {path} ends at element {last}, its file at {storage.size}")
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)


def _node(node: Mapping[str, Any]) -> Node:
    arguments = {each["name"]: _argument(each["arg"]) for each in node["inputs"]}
    outputs: list[str] = []
    for each in node["outputs"]:
        (kind, content), *_ = each.items()
        if kind == "as_tensor":
            outputs.append(str(content["name"]))
        elif kind == "as_tensors":
            outputs += [str(one["name"]) for one in content]
        elif kind == "as_sym_int" and "as_name" in content:
            outputs.append(str(content["as_name"]))
    modules = []
    for call in filter(None, node["metadata"].get("nn_module_stack", "").split(";")):
        key, path, kind = call.split(",", 2)
        modules.append(ModuleCall(key, path, kind))
    target = node["target"].removeprefix("torch.ops.")
    return Node(target, arguments, tuple(outputs), tuple(modules))


def _argument(argument: Mapping[str, Any]) -> Any:
    (kind, content), *_ = argument.items()
    if kind in ("as_tensor", "as_sym_int", "as_optional_tensor"):
        return _reference(content)
    if kind in ("as_tensors", "as_sym_ints", "as_optional_tensors"):
        return [_reference(each) for each in content]
    if kind == "as_none":
        return None
    return _data_type(content) if kind == "as_scalar_type" else content


def _reference(content: Any) -> Any:
    """Return an array, an optional one, or a length that is a number."""
    if "as_tensor" in content:
        content = content["as_tensor"]
    if "as_int" in content:
        return content["as_int"]
    name = content.get("name", content.get("as_name"))
    return None if name is None else Ref(str(name))


def _length(size: Mapping[str, Any]) -> Length:
    if "as_int" in size:
        return int(size["as_int"])
    formula = str(size["as_expr"]["expr_str"])
    symbol = _SYMBOL.fullmatch(formula)
    return symbol[1] if symbol else formula


def _data_type(number: int) -> str:
    return _TYPES.get(number, f"type {number}")


def _corrupt(file: str, problem: str) -> NumbatchError:
    return error(Reason.MODEL_CORRUPT, f"no .pt2 file that can be read: {problem}", field=file, hint=_HINT)


def _unsupported(
    file: str, problem: str, *, got: object = "", expected: object = "", hint: str = _HINT
) -> NumbatchError:
    return error(Reason.FEATURE_UNSUPPORTED, problem, field=file, got=got, expected=expected, hint=hint)

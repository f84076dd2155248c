"""A model in memory, ready to run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from numbatch.engine.graph import Graph, build_graph
from numbatch.engine.jobs import Job
from numbatch.engine.packed_weights import fill_arena, put_back, without_weights
from numbatch.engine.plan import Plan, make_plan
from numbatch.engine.requests import RequestRows, check_layers
from numbatch.engine.selection import Selection, select
from numbatch.engine.specs import ArraySpec, ModelSummary
from numbatch.engine.threads import NOBODY, compute_team
from numbatch.engine.validation import Source, at_the_door, open_model, summarize
from numbatch.kernels.arena import aligned_zeros
from numbatch.kernels.program import run_network
from numbatch.kernels.target import TARGET
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.models import HasMessage
from numbatch.wire.precision import checked_precision
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, Float32Array, as_numbers

# Looking a name up in numpy takes 60 ns, of the 800 that the smallest network takes.
_ndarray, _empty = np.ndarray, np.empty
_FLOAT32 = np.dtype(np.float32)
_NO_WORKSPACE = np.zeros(0, np.float32)

# Layers that were asked for together; a client that asks for every combination must not fill the memory.
_MOST_SELECTIONS = 256


def load_model(
    source: Source | HasMessage,
    *,
    name: str = "",
    weights_precision: str = "f32",
    make_arena: Callable[[int], Float32Array] = aligned_zeros,
) -> "LoadedModel":
    """Load a model: validate it, pack its weights, make sure the kernels are compiled, and run it once.

    Parameters
    ----------
    source : path, Model, or model of `numbatch.models`
        A version folder that holds `model.binpb` or `model.txtpb`, such a file, a message with inline weights, or what
        has one.
    name : str
        The model's name, if its message has none. One that has another is refused. Default: that of the folder.
    weights_precision : str
        "f32", or "bf16": kernels of dense layers are rounded to bfloat16, which halves their memory; all else stays
        float32.
    make_arena : callable
        Returns the memory for so many packed weights: zeros, aligned to 64 bytes.

    Returns
    -------
    LoadedModel
        Ready.

    Raises
    ------
    ModelError
        Whatever is wrong with it; see `numbatch.wire.errors`.
    InvalidArgumentError
        INVALID_FIELD, if there is no such precision.
    """
    checked_precision(weights_precision)
    model, reader = open_model(at_the_door(source), name)
    graph = build_graph(model)
    plan = make_plan(graph, bf16=weights_precision == "bf16")
    arena = make_arena(plan.arena_size)
    fill_arena(graph, plan, reader, arena, weights_precision)
    return LoadedModel(without_weights(model, plan), graph, plan, arena, weights_precision)


def attach_model(skeleton: Model, arena: Float32Array, *, weights_precision: str) -> "LoadedModel":
    """Make a model of weights that were packed before, by this version of the kernels.

    Parameters
    ----------
    skeleton : Model
        From `LoadedModel.message(include_weights=False)`.
    arena : ndarray of float32
        What `load_model` filled; it is only read, and may be memory that can only be read.
    weights_precision : str
        With which they were packed.
    """
    graph = build_graph(skeleton)
    plan = make_plan(graph, bf16=weights_precision == "bf16")
    return LoadedModel(skeleton, graph, plan, arena, weights_precision)


class LoadedModel:
    """A model in memory, ready to run. Made by `load_model`; safe to use from several threads at once.

    Attributes
    ----------
    summary : ModelSummary
        Its inputs, layers and outputs.
    instruction_set : str
        "avx512", "avx2", "neon" or "portable": what the kernels use on this machine. It changes no bit.
    groups : dict
        Kept here for whoever runs its jobs in batches: what belongs to each selection of layers, as long as the model
        is there. Nothing in it may refer to the model.
    """

    def __init__(self, skeleton: Model, graph: Graph, plan: Plan, arena: Float32Array, weights_precision: str) -> None:
        self.summary: ModelSummary = summarize(skeleton, graph, weights_precision)
        self.instruction_set = TARGET.name
        self.groups: dict[tuple[str, ...], Any] = {}
        self._skeleton = skeleton
        self._plan = plan
        self._arena = arena
        self._arrays = {node.name: ArraySpec(node.name, node.output_shape) for node in graph.nodes}
        self._selections: dict[tuple[str, ...], Selection] = {}
        self._workspace_size = plan.workspace_size
        # As many as ever ran at once. Popping from a list and appending to it need no lock.
        self._workspaces: list[Float32Array] = []
        self._gathered: list[Float32Array] = []
        self._run_network = run_network.prepare()
        self._rows = RequestRows(self.summary.inputs, plan.columns, graph.vocabularies)
        self._input_shape = self.summary.inputs[0].shape
        plain = len(self.summary.outputs) == 1 and self._rows.plain
        self._only_output = self._select(()) if plain else None
        self._output_shape = self._arrays[self.summary.outputs[0]].shape
        self.run({spec.name: np.zeros((1, *spec.shape), spec.data_type) for spec in self.summary.inputs})

    @property
    def name(self) -> str:
        """The model's name."""
        return self.summary.name

    def __repr__(self) -> str:
        summary = self.summary
        return f"<LoadedModel {self.name!r}: {len(summary.layers)} layers, {summary.parameter_count} parameters>"

    @overload
    def infer(self, x: npt.ArrayLike | Mapping[str, npt.ArrayLike], *, layers: None = None) -> Float32Array: ...

    @overload
    def infer(
        self, x: npt.ArrayLike | Mapping[str, npt.ArrayLike], *, layers: Sequence[str]
    ) -> dict[str, Float32Array]: ...

    def infer(
        self, x: npt.ArrayLike | Mapping[str, npt.ArrayLike], *, layers: Sequence[str] | None = None
    ) -> Float32Array | dict[str, Float32Array]:
        """Run the model over a batch.

        Parameters
        ----------
        x : array_like of shape (..., *input axes), or mapping of str to array_like
            The batch: any number of batch axes, also none, then those of the model's input; for a model with several
            inputs, by their names, all with the same batch axes. Numbers are rounded to float32, unless the input is
            one of row numbers, which are integers.
        layers : sequence of str, optional
            The layers whose outputs are wanted. Default: the model's only output.

        Returns
        -------
        ndarray of float32, or dict of str to ndarray
            The output, or the outputs by layer name in the order asked for; the batch axes come first.

        Raises
        ------
        InvalidArgumentError
            If the batch or a layer's name does not fit, or no layers are named and the model has several outputs.
        """
        if layers is None and type(x) is _ndarray and x.dtype is _FLOAT32:
            # The same as below, only faster: with the smallest networks, this is most of the time.
            shape, selection = x.shape, self._only_output
            if selection is not None and shape[1:] == self._input_shape and shape[0] and x.flags.c_contiguous:
                output = _empty((shape[0], *self._output_shape), _FLOAT32)
                self.compute(selection, x, shape[0], output)
                return output
        inputs: Mapping[str, Any] = x if isinstance(x, Mapping) else {"": x}
        arrays = {name: as_numbers(value, name or "x") for name, value in inputs.items()}
        if layers is not None:
            return dict(self.run(arrays, layers))
        if len(self.summary.outputs) > 1:
            got, expected = ", ".join(self.summary.outputs), "layers=[...] that names those wanted"
            raise error(
                Reason.INVALID_FIELD, "a model with several outputs", field="layers", got=got, expected=expected
            )
        return self.run(arrays)[0][1]

    def run(
        self, inputs: Mapping[str, Array], layers: Sequence[str] = (), *, max_output_bytes: int | None = None
    ) -> list[tuple[str, Float32Array]]:
        """Run the model over a batch of arrays; what `infer` does, for servers.

        Parameters
        ----------
        inputs : mapping of str to ndarray of float32, int32 or int64
            By input name; "" will do for a model with one input. Read-only and unaligned arrays of float32 cost
            nothing; integers are rounded to float32, unless they are row numbers.
        layers : sequence of str
            The layers whose outputs are wanted. Empty: the model's outputs.
        max_output_bytes : int, optional
            Refuse a batch whose outputs are larger, before anything is computed.

        Returns
        -------
        list of (str, ndarray of float32)
            Layer names and outputs, in the order asked for.

        Raises
        ------
        InvalidArgumentError
            UNKNOWN_INPUT, DUPLICATE_INPUT, MISSING_INPUT, DATA_TYPE_MISMATCH, SHAPE_MISMATCH, EMPTY_BATCH,
            INDEX_OUT_OF_RANGE, UNKNOWN_LAYER or DUPLICATE_LAYER.
        MessageTooLargeError
            MESSAGE_TOO_LARGE.
        """
        job = self.prepare(inputs, layers, max_output_bytes=max_output_bytes)
        job.run()
        return job.outputs

    def prepare(
        self,
        inputs: Mapping[str, Array],
        layers: Sequence[str] = (),
        *,
        max_output_bytes: int | None = None,
        most_rows: int | None = None,
    ) -> Job:
        """Check a batch of arrays, and return it ready to be computed, alone or with others.

        Parameters
        ----------
        inputs, layers, max_output_bytes
            As for `run`.
        most_rows : int, optional
            A batch with more is to run in pieces.

        Raises
        ------
        InvalidArgumentError, MessageTooLargeError
            As for `run`.
        """
        selection = self._select(tuple(layers))
        x, rows, axes = self._rows.of(inputs)
        if max_output_bytes is not None and 4 * rows * selection.elements > max_output_bytes:
            raise error(
                Reason.MESSAGE_TOO_LARGE,
                f"outputs of {rows} rows",
                got=f"{4 * rows * selection.elements} bytes",
                expected=f"at most {max_output_bytes} bytes",
                hint="send fewer rows at once or name fewer layers",
            )
        return Job(self, selection, x, axes, rows, whole=most_rows is None or rows <= most_rows)

    def _select(self, layers: tuple[str, ...]) -> Selection:
        """Return how some layers are computed, worked out when they are first asked for."""
        selection = self._selections.get(layers)
        if selection is None:
            chosen = check_layers(layers or self.summary.outputs, self._arrays)
            selection = select(self._plan, self._arena.ctypes.data, chosen)
            if len(self._selections) >= _MOST_SELECTIONS:
                self._selections.clear()
            self._selections[layers] = selection
        return selection

    @contextmanager
    def gathering(self, rows: int) -> Iterator[Float32Array]:
        """Give memory for so many rows of the inputs, that no other call uses."""
        elements = self._rows.elements
        try:
            memory = self._gathered.pop()
        except IndexError:
            memory = _NO_WORKSPACE
        if len(memory) < rows * elements:
            memory = aligned_zeros(rows * elements)
        yield memory[: rows * elements].reshape(rows, elements)
        self._gathered.append(memory)

    def compute(self, selection: Selection, x: Array, rows: int, outputs: Float32Array, *, alone: bool = False) -> None:
        """Run the compiled call, on scratch memory that no other call uses. Nothing is checked.

        Parameters
        ----------
        selection : Selection
            What is wanted.
        x : ndarray of float32
            The inputs of so many rows, as `RequestRows` has them.
        rows : int
            1 or more.
        outputs : ndarray of float32
            Filled: the layers one after the other, each for all rows.
        alone : bool
            Whether no other thread is to help.
        """
        team = NOBODY if alone else compute_team()
        try:
            workspace = self._workspaces.pop()
        except IndexError:
            workspace = _NO_WORKSPACE
        if len(workspace) < self._workspace_size * team.threads:
            workspace = aligned_zeros(self._workspace_size * team.threads)
        self._run_network(selection.table, workspace, x, rows, outputs, team.table)
        self._workspaces.append(workspace)

    def message(self, *, include_weights: bool = True) -> Model:
        """Return the model as a message, its weights inline or, without them, its shapes only.

        The weights are those that it computes with: of a model loaded with "bf16", the rounded ones.
        """
        model = Model()
        model.CopyFrom(self._skeleton)
        if include_weights:
            put_back(model, self._plan, self._arena)
        return model

"""What a model takes in memory, known before anything of that size is allocated."""

from pathlib import Path
from typing import NamedTuple

from numbatch.engine.files import is_read_whole, model_file
from numbatch.engine.graph import build_graph
from numbatch.engine.plan import make_plan
from numbatch.engine.threads import compute_threads
from numbatch.engine.validation import Source, open_model
from numbatch.engine.weights import PART_BYTES
from numbatch.v1.model_pb2 import Model

_FLOAT32_BYTES = 4

# A part as it is read, and what checking and rounding make beside it.
_PARTS_AT_A_TIME = 4

# A message that is parsed as a whole: the bytes, the message, a copy of its largest array.
_BINARY_COPIES = 3
_TEXT_COPIES = 8


class Footprint(NamedTuple):
    """What a model takes.

    Attributes
    ----------
    held_bytes : int
        As long as it is there: packed weights, and scratch memory for one batch on all threads.
    transient_bytes : int
        Beside that, while it is loaded.
    """

    held_bytes: int
    transient_bytes: int

    @property
    def peak_bytes(self) -> int:
        """The most that it takes while it is loaded."""
        return self.held_bytes + self.transient_bytes


def footprint(
    source: Source, *, name: str = "", weights_precision: str = "f32", room_bytes: int | None = None
) -> Footprint:
    """Return what a model would take; its weights are not read.

    Parameters
    ----------
    source, name, weights_precision
        As for `load_model`.
    room_bytes : int, optional
        So much memory there is. A file that can only be read as a whole and would take more is not read, and what
        is returned is what reading it would take.

    Raises
    ------
    ModelError
        Whatever is wrong with the model's description.
    """
    transient = _PARTS_AT_A_TIME * PART_BYTES
    if isinstance(source, Model):
        model = source
        transient += 2 * source.ByteSize()  # the message and its copy
    else:
        file = model_file(source)
        if is_read_whole(file):
            transient += _size(file) * (_TEXT_COPIES if file.suffix == ".txtpb" else _BINARY_COPIES)
            if room_bytes is not None and transient > room_bytes:
                return Footprint(0, transient)
        model, _ = open_model(source, name)
    plan = make_plan(build_graph(model), bf16=weights_precision == "bf16")
    elements = plan.arena_size + plan.workspace_size * compute_threads()
    return Footprint(_FLOAT32_BYTES * elements, transient)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # reading it says why

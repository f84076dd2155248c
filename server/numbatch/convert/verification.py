"""Whether a converted model computes what the original computes."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.convert.converted import Converted, Reference
from numbatch.convert.difference import Difference
from numbatch.convert.given_rows import GivenRows
from numbatch.convert.random_rows import RandomRows, random_inputs
from numbatch.convert.tolerance import tolerances
from numbatch.wire.errors import error
from numbatch.wire.layers import Shape
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text

if TYPE_CHECKING:
    from numbatch.engine import LoadedModel

_BATCH_SIZE = 256
_RANDOM_ROWS = 512


class OutputDifference(NamedTuple):
    """How far one output is from the original's.

    Attributes
    ----------
    name : str
        The output.
    shape : tuple of int
        The axes of one example.
    max_abs : float
        The largest difference of two elements; infinite where one alone is NaN or infinite.
    max_ulp, max_ulp_of_largest : float
        The same in ulp of float32: of the larger of the two elements, and of the output's largest element.
    largest : float
        The original's largest element, without its sign.
    same_largest : float or None
        How often the largest unit is the same, 0 to 1; None where there is one unit.
    not_finite_alone : int
        How many elements are NaN or infinite in one of the two alone.
    tolerance : float
        How far it may be, by `largest`.
    """

    name: str
    shape: Shape
    max_abs: float
    max_ulp: float
    max_ulp_of_largest: float
    largest: float
    same_largest: float | None
    not_finite_alone: int
    tolerance: float

    @property
    def relative(self) -> float:
        """The largest difference by the largest element; 0 where there is no difference."""
        if self.max_abs == 0:
            return 0.0
        return self.max_abs / self.largest if self.largest else math.inf

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance."""
        return self.relative <= self.tolerance


class Check(NamedTuple):
    """The comparison on some rows.

    Attributes
    ----------
    given : bool
        Whether the caller brought the rows. False: they are random.
    rows : int
        How many.
    outputs : tuple of OutputDifference
        In the model's order.
    """

    given: bool
    rows: int
    outputs: tuple[OutputDifference, ...]


class Verification(NamedTuple):
    """What `verify` found.

    Attributes
    ----------
    checks : tuple of Check
        Of random rows, of given rows, or both.
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether all outputs are within their tolerance."""
        return all(output.passed for check in self.checks for output in check.outputs)

    @property
    def worst(self) -> OutputDifference:
        """The output that is furthest away, by its tolerance."""
        outputs = [output for check in self.checks for output in check.outputs]
        return max(outputs, key=lambda output: output.relative / output.tolerance if output.tolerance else math.inf)


def verify(
    converted: Converted,
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    *,
    rows: int = _RANDOM_ROWS,
    seed: int = 0,
    tolerance: float | None = None,
) -> Verification:
    """Run a converted model and its original over the same rows, and compare their outputs.

    Random rows are standard normal numbers, or, where the network normalises an input first, of that mean and variance;
    of lookup tables, row numbers in their range. They show what is wrong in a network; what your data would show, show
    `inputs`.

    Parameters
    ----------
    converted : Converted
        With a reference.
    inputs : array_like, or mapping of str to array_like, optional
        Rows of your own, by input name; the batch is the first axis. Compared beside the random ones.
    rows : int
        How many random rows; 0 for none.
    seed : int
        What makes them.
    tolerance : float, optional
        How far an output may be from the original's, by the output's largest element. Default: what float32 sums in
        another order differ by; see `numbatch.convert.tolerance`.

    Returns
    -------
    Verification
        `passed` says whether all is well.

    Raises
    ------
    InvalidArgumentError
        MISSING_INPUT, UNKNOWN_INPUT or SHAPE_MISMATCH, if the rows do not fit; INVALID_FIELD, if there is no reference,
        it fails, or there are no rows.
    ModelError
        If the engine cannot load the converted model.
    """
    model = converted.model
    if converted.reference is None:
        expected = "the framework of the original, installed"
        raise error(Reason.INVALID_FIELD, "nothing to compare with", field="converted.reference", expected=expected)
    if rows < 1 and inputs is None:
        raise error(Reason.INVALID_FIELD, field="rows", got=rows, expected="1 or more, or inputs")
    given = None if inputs is None else GivenRows.of(model, inputs)
    # Only now: it takes a second to import.
    from numbatch.engine import load_model

    ours = load_model(model, name=model.name or "converted")
    limits = {name: limit if tolerance is None else tolerance for name, limit in tolerances(model).items()}
    checks = []
    if rows > 0:
        random = RandomRows(random_inputs(model), rows, seed)
        checks.append(_check(ours, converted.reference, random.minibatches(_BATCH_SIZE), limits, given=False))
    if given is not None:
        checks.append(_check(ours, converted.reference, given.minibatches(_BATCH_SIZE), limits, given=True))
    return Verification(tuple(checks))


def _check(
    ours: "LoadedModel",
    reference: Reference,
    minibatches: Iterable[Mapping[str, Array]],
    limits: Mapping[str, float],
    *,
    given: bool,
) -> Check:
    differences = {name: Difference() for name in limits}
    shapes: dict[str, Shape] = {}
    rows = 0
    for minibatch in minibatches:
        got, expected = ours.infer(minibatch, layers=list(limits)), _original(reference, minibatch)
        for name, array in got.items():
            original = np.asarray(expected[name])
            if original.shape != array.shape:
                shape = shape_text(original.shape)
                raise error(
                    Reason.SHAPE_MISMATCH, "of the original's output", field=name, got=shape, expected=array.shape
                )
            differences[name].add(original, array)
            shapes[name] = array.shape[1:]
        rows += len(next(iter(minibatch.values())))
    outputs = tuple(_output(name, shapes[name], each, limits[name]) for name, each in differences.items())
    return Check(given, rows, outputs)


def _original(reference: Reference, minibatch: Mapping[str, Array]) -> Mapping[str, Array]:
    try:
        return reference(minibatch)
    except Exception as failure:
        problem = (
            f"the original fails on {len(next(iter(minibatch.values())))} rows: {type(failure).__name__}: {failure}"
        )
        hint = "give rows that it takes as inputs, or do not verify"
        raise error(Reason.INVALID_FIELD, problem, field="converted.reference", hint=hint) from failure


def _output(name: str, shape: Shape, difference: Difference, tolerance: float) -> OutputDifference:
    return OutputDifference(
        name,
        shape,
        difference.max_abs,
        difference.max_ulp,
        difference.max_ulp_of_largest,
        difference.largest,
        difference.same_largest if shape[-1] > 1 else None,
        difference.not_finite_alone,
        tolerance,
    )

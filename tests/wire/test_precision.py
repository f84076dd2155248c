"""The names of the weights' precisions."""

import pytest

from numbatch.v1.repository_pb2 import (
    WEIGHTS_PRECISION_BF16,
    WEIGHTS_PRECISION_F32,
    WEIGHTS_PRECISION_UNSPECIFIED,
    WeightsPrecision,
)
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.precision import WEIGHTS_PRECISIONS, checked_precision, precision_name, weights_precision
from numbatch.wire.reasons import Reason

NAMES = {"": WEIGHTS_PRECISION_UNSPECIFIED, "f32": WEIGHTS_PRECISION_F32, "bf16": WEIGHTS_PRECISION_BF16}


@pytest.mark.parametrize(("name", "value"), NAMES.items())
def test_a_name_becomes_a_value_and_a_value_a_name(name: str, value: WeightsPrecision) -> None:
    assert (weights_precision(name), precision_name(value)) == (value, name)


def test_not_given_is_no_precision_to_run_with() -> None:
    assert WEIGHTS_PRECISIONS == ("f32", "bf16")
    with pytest.raises(InvalidArgumentError):
        checked_precision("")


def test_a_precision_of_a_later_version_has_a_name_and_is_refused() -> None:
    name = precision_name(99)
    assert name == "weights precision 99"
    with pytest.raises(InvalidArgumentError) as refused:
        weights_precision(name)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, "weights_precision")
    assert refused.value.message == "weights_precision: got 'weights precision 99', expected f32 or bf16"

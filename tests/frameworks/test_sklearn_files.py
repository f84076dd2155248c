"""Estimators that skops saved, and what it does not trust."""

import os
from pathlib import Path
from typing import Any

import pytest

skops = pytest.importorskip("skops.io", reason="skops is not installed")

from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler  # noqa: E402

from numbatch.convert import from_sklearn  # noqa: E402
from numbatch.wire.errors import CorruptModelError, UnsupportedError  # noqa: E402
from support.sklearn_models import assert_agrees, data, fitted  # noqa: E402

X, WORDS, TWO, _, _ = data()


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=20, random_state=1)),
        make_pipeline(StandardScaler(), MLPClassifier((6,), solver="sgd", max_iter=20, random_state=1)),
        make_pipeline(
            ColumnTransformer([("n", StandardScaler(), [0, 1]), ("c", OneHotEncoder(), [2])]), LogisticRegression()
        ),
    ],
)
def test_what_skops_saved_is_the_same_model(tmp_path: Path, estimator: Any) -> None:
    model = fitted(estimator, X.round(), WORDS)
    skops.dump(model, tmp_path / "my churn.skops")
    converted = from_sklearn(tmp_path / "my churn.skops")
    assert converted.model.name == "my_churn"
    assert converted.model.layers == from_sklearn(model).model.layers
    assert_agrees(converted, columns=3)


def test_types_that_skops_does_not_trust_are_named_and_nothing_runs(tmp_path: Path) -> None:
    skops.dump(fitted(FunctionTransformer(os.system), X), tmp_path / "model.skops")
    with pytest.raises(UnsupportedError, match=r"types that skops does not trust: got posix\.system; load it yourself"):
        from_sklearn(tmp_path / "model.skops")


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_damaged(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.skops").write_bytes(data)
    with pytest.raises(CorruptModelError, match="model.skops holds no estimator"):
        from_sklearn(tmp_path / "model.skops")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorruptModelError, match=r"model.skops cannot be read: got No such file"):
        from_sklearn(tmp_path / "model.skops")

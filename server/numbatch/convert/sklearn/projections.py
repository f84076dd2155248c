"""Projections and choices of features -> dense layers."""

from typing import Any

import numpy as np

from numbatch.convert.sklearn.conversion import Conversion, Value, finite
from numbatch.wire.graph import Symbol


def pca(c: Conversion, step: Any, value: Value, name: str) -> Symbol:
    """Write (x - mean) W. The mean is taken off before the product: of large numbers, differences are exact."""
    x = c.array(value, name)
    kernel = finite(name, "components_", step.components_).T
    if step.whiten:
        deviation = np.sqrt(finite(name, "explained_variance_", step.explained_variance_))
        kernel = kernel / np.maximum(deviation, np.finfo(np.float64).eps)
    if step.mean_ is not None:
        x = c.writer.affine(x, None, -finite(name, "mean_", step.mean_), name=f"{name}/centred")
    return c.writer.dense(x, kernel, name=name)


def truncated_svd(c: Conversion, step: Any, value: Value, name: str) -> Symbol:
    """Write x W."""
    return c.writer.dense(c.array(value, name), finite(name, "components_", step.components_).T, name=name)


def selection(c: Conversion, step: Any, value: Value, name: str) -> Symbol:
    """Write a choice of features."""
    return c.writer.choose(c.array(value, name), step.get_support(indices=True), name=name)

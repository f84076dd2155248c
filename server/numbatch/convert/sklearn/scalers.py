"""Scalers -> normalisations."""

from typing import Any

import numpy as np

from numbatch.convert.sklearn.conversion import Conversion, Value, finite, refusal
from numbatch.wire.graph import Symbol


def standard(c: Conversion, scaler: Any, value: Value, name: str) -> Symbol:
    """Write (x - mean) / scale."""
    mean = scaler.mean_ if scaler.with_mean else None
    return _shift_and_scale(c, value, name, mean, scaler.scale_ if scaler.with_std else None)


def robust(c: Conversion, scaler: Any, value: Value, name: str) -> Symbol:
    """Write (x - median) / range."""
    return _shift_and_scale(c, value, name, scaler.center_, scaler.scale_)


def largest(c: Conversion, scaler: Any, value: Value, name: str) -> Symbol:
    """Write x / largest."""
    _refuse_clip(scaler, name)
    return _shift_and_scale(c, value, name, None, scaler.scale_)


def min_max(c: Conversion, scaler: Any, value: Value, name: str) -> Symbol:
    """Write (x - least) scale + the lower end of the range."""
    _refuse_clip(scaler, name)
    x = c.array(value, name)
    factor = finite(name, "scale_", scaler.scale_)
    offset = np.full_like(factor, scaler.feature_range[0])
    least = finite(name, "data_min_", scaler.data_min_)
    ones = np.ones_like(factor)
    return c.writer.batch_normalization(x, least, ones, factor, offset, epsilon=0.0, name=name)


def _shift_and_scale(c: Conversion, value: Value, name: str, shift: Any, scale: Any) -> Symbol:
    x = c.array(value, name)
    if shift is None and scale is None:
        c.notes.append(f"{name} is left out: it changes nothing.")
        return x
    width = x.shape[-1]
    mean = np.zeros(width) if shift is None else finite(name, "the shift", shift)
    deviation = np.ones(width) if scale is None else finite(name, "scale_", scale)
    if np.all((deviation > 1e-15) & (deviation < 1e15)):  # its square is an ordinary float32
        return c.writer.normalization(x, mean, deviation**2, name=name)
    return c.writer.batch_normalization(x, mean, np.ones(width), 1 / deviation, epsilon=0.0, name=name)


def _refuse_clip(scaler: Any, name: str) -> None:
    if getattr(scaler, "clip", False):
        raise refusal(name, "it clips", got=f"{type(scaler).__name__}(clip=True)", expected="clip=False")

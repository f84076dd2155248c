"""The layers that normalise: with statistics of training, of data, or of each row.

>>> layer = Normalization()
>>> layer.adapt([[0.0, 10.0], [2.0, 30.0]])
>>> layer.mean, layer.variance
(array([ 1., 20.], dtype=float32), array([  1., 100.], dtype=float32))
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.models.initializers import Constant, Initial, initializer_of
from numbatch.models.layer import Layer
from numbatch.models.variables import Variable
from numbatch.v1.model_pb2 import BatchNormalization as BatchNormalizationMessage
from numbatch.v1.model_pb2 import Layer as LayerMessage
from numbatch.v1.model_pb2 import LayerNormalization as LayerNormalizationMessage
from numbatch.v1.model_pb2 import Normalization as NormalizationMessage
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array

# Keras divides by at least 1e-7 where a feature does not vary.
_LEAST_VARIANCE = 1e-14


class BatchNormalization(Layer):
    """gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, with the statistics of training.

    Parameters
    ----------
    axis : int
        The last one.
    momentum : float
        For training.
    epsilon : float
        Above 0.
    center, scale : bool
        False: no beta, no gamma.
    beta_initializer, gamma_initializer : str, Initializer or callable
        What makes beta and gamma, of shape (features,) each.
    moving_mean_initializer, moving_variance_initializer : str, Initializer or callable
        What makes the statistics, of shape (features,) each.
    weights : sequence of array_like, optional
        gamma, beta, moving_mean, moving_variance.
    name : str
        See `Layer`.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initial = "zeros",
        gamma_initializer: Initial = "ones",
        moving_mean_initializer: Initial = "zeros",
        moving_variance_initializer: Initial = "ones",
        *,
        weights: Sequence[npt.ArrayLike] | None = None,
        name: str = "",
        **training: Any,
    ) -> None:
        super().__init__(name=name, **training)
        _check_epsilon(epsilon, self.name)
        self.axis = axis
        variables = _scale_and_offset(
            self.name, gamma_initializer if scale else None, beta_initializer if center else None
        )
        for part, initializer in (("mean", moving_mean_initializer), ("variance", moving_variance_initializer)):
            made = initializer_of(initializer, f"{self.name}.moving_{part}_initializer")
            variables.append(Variable(f"moving_{part}", made, part))
        message = LayerMessage(batch_normalization=BatchNormalizationMessage(epsilon=epsilon))
        self._describe(message, variables, weights)

    @property
    def gamma(self) -> Float32Array | None:
        """The scale, read-only; None if there is none."""
        return self._array_or_none("gamma")

    @property
    def beta(self) -> Float32Array | None:
        """The offset, read-only; None if there is none."""
        return self._array_or_none("beta")

    @property
    def moving_mean(self) -> Float32Array:
        """The means of training, read-only."""
        return self._array("moving_mean")

    @property
    def moving_variance(self) -> Float32Array:
        """The variances of training, read-only."""
        return self._array("moving_variance")


class LayerNormalization(Layer):
    """gamma (x - mean(x)) / sqrt(variance(x) + epsilon) + beta, with the statistics of each row.

    Parameters
    ----------
    axis : int
        The last one.
    epsilon : float
        Above 0.
    center, scale : bool
        False: no beta, no gamma.
    beta_initializer, gamma_initializer : str, Initializer or callable
        What makes the weights, of shape (features,) each.
    weights : sequence of array_like, optional
        gamma, beta.
    name : str
        See `Layer`.
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initial = "zeros",
        gamma_initializer: Initial = "ones",
        *,
        weights: Sequence[npt.ArrayLike] | None = None,
        name: str = "",
        **training: Any,
    ) -> None:
        super().__init__(name=name, **training)
        _check_epsilon(epsilon, self.name)
        self.axis = axis
        variables = _scale_and_offset(
            self.name, gamma_initializer if scale else None, beta_initializer if center else None
        )
        message = LayerMessage(layer_normalization=LayerNormalizationMessage(epsilon=epsilon))
        self._describe(message, variables, weights)

    @property
    def gamma(self) -> Float32Array | None:
        """The scale, read-only; None if there is none."""
        return self._array_or_none("gamma")

    @property
    def beta(self) -> Float32Array | None:
        """The offset, read-only; None if there is none."""
        return self._array_or_none("beta")


class Normalization(Layer):
    """(x - mean) / sqrt(variance), with statistics that are given, or found in data by `adapt`.

    Its weights are mean and variance; Keras has a third, the number of examples, which computes nothing.

    Parameters
    ----------
    axis : int
        The last one.
    mean, variance : float or array_like of shape (features,), optional
        Both or neither; without them it must be adapted.
    weights : sequence of array_like, optional
        mean, variance.
    name : str
        See `Layer`.
    """

    def __init__(
        self,
        axis: int = -1,
        mean: npt.ArrayLike | None = None,
        variance: npt.ArrayLike | None = None,
        *,
        weights: Sequence[npt.ArrayLike] | None = None,
        name: str = "",
        **training: Any,
    ) -> None:
        super().__init__(name=name, **training)
        if (mean is None) != (variance is None):
            raise self._wrong("mean", got="one of mean and variance", expected="both, or neither and adapt(data)")
        self.axis = axis
        given = None if mean is None or variance is None else _fixed(mean, variance)
        initializers = (None, None) if given is None else (Constant(given[0]), Constant(given[1]))
        hint = "give mean and variance, or call adapt(data)"
        variables = [
            Variable(part, made, hint=hint) for part, made in zip(("mean", "variance"), initializers, strict=True)
        ]
        self._describe(LayerMessage(normalization=NormalizationMessage()), variables, weights)

    def adapt(self, data: npt.ArrayLike) -> None:
        """Take the mean and the variance of each feature from data.

        Parameters
        ----------
        data : array_like of shape (..., features)
            The examples; all axes but the last are the same to it. Features that do not vary are divided by 1e-7, as in
            Keras.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if they are no finite numbers, or there are none.
        InvalidModelError
            WEIGHTS_MISMATCH, if the layer was built for another number of features.
        """
        rows = np.asarray(data, np.float64)
        if rows.ndim < 2 or not rows.size or not np.isfinite(rows).all():
            got = f"{rows.shape}" if rows.ndim < 2 or not rows.size else "NaN or infinity"
            raise self._wrong("adapt(data)", got=got, expected="finite numbers of shape (examples, features)")
        rows = rows.reshape(-1, rows.shape[-1])
        self.set_weights(_fixed(rows.mean(0), rows.var(0)))

    @property
    def mean(self) -> Float32Array:
        """The means, read-only."""
        return self._array("mean")

    @property
    def variance(self) -> Float32Array:
        """The variances, read-only; at least 1e-14."""
        return self._array("variance")


def _fixed(mean: npt.ArrayLike, variance: npt.ArrayLike) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    return mean, np.maximum(variance, _LEAST_VARIANCE)


def _scale_and_offset(name: str, gamma: Initial | None, beta: Initial | None) -> list[Variable]:
    given = (("gamma", gamma, "scale"), ("beta", beta, "offset"))
    return [
        Variable(part, initializer_of(initializer, f"{name}.{part}_initializer"), field)
        for part, initializer, field in given
        if initializer is not None
    ]


def _check_epsilon(epsilon: float, name: str) -> None:
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise error(Reason.INVALID_FIELD, field=f"{name}.epsilon", got=epsilon, expected="a number above 0")

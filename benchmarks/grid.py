"""The networks and batches that are measured: every layer dense with bias and ReLU, unless the last one is linear."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model

Array: TypeAlias = npt.NDArray[np.float32]

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)


class Network(NamedTuple):
    """A chain of dense layers.

    Attributes
    ----------
    name : str
        As it is reported and chosen.
    widths : tuple of int
        Inputs, then the units of each layer.
    output : str
        The activation of the last layer: "relu" or "linear".
    """

    name: str
    widths: tuple[int, ...]
    output: str = "relu"

    @property
    def is_layer(self) -> bool:
        """Whether it is one layer only."""
        return len(self.widths) == 2

    @property
    def weight_bytes(self) -> int:
        """Bytes of its weights and biases in float32: what one row must read."""
        return 4 * sum((inputs + 1) * units for inputs, units in self._pairs())

    def flops(self, rows: int) -> int:
        """Return the floating-point operations of a batch, a fused multiply-add as two."""
        return 2 * rows * sum(inputs * units for inputs, units in self._pairs())

    def weights(self) -> list[tuple[Array, Array]]:
        """Return kernel (inputs, units) and bias of each layer, the same on every call."""
        rng = np.random.default_rng(0)
        return [
            (
                (rng.standard_normal((inputs, units)) * np.sqrt(2 / inputs)).astype(np.float32),
                (rng.standard_normal(units) / 10).astype(np.float32),
            )
            for inputs, units in self._pairs()
        ]

    def message(self) -> Model:
        """Return it as a Model message."""
        weights = self.weights()
        activations = ["relu"] * (len(weights) - 1) + [self.output]
        layers = [
            Dense(len(bias), activation, weights=[kernel, bias])
            for (kernel, bias), activation in zip(weights, activations, strict=True)
        ]
        return Sequential([Input(self.widths[:1]), *layers]).to_message("bench")

    def batch(self, rows: int) -> Array:
        """Return inputs."""
        return np.random.default_rng(1).standard_normal((rows, self.widths[0]), np.float32)

    def _pairs(self) -> Sequence[tuple[int, int]]:
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))


def _layer(inputs: int, units: int) -> Network:
    return Network(f"{inputs}x{units}", (inputs, units))


def _chain(*widths: int) -> Network:
    return Network("-".join(map(str, widths)), widths)


NETWORKS = (
    _layer(64, 64),
    _layer(512, 32),
    _layer(128, 4096),
    _layer(512, 512),
    _layer(784, 512),
    _layer(1024, 1024),
    _layer(2048, 2048),
    _layer(4096, 1024),
    _chain(10, 3, 5),
    _chain(64, 128, 64, 10),
    _chain(784, 512, 512, 10),
    _chain(256, 1024, 1024, 512, 1),
    Network("13x(512x512)", (512,) * 14),
)

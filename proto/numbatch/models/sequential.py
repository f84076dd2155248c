"""Models whose layers follow each other.

>>> from numbatch.models import Dense, Dropout, Input
>>> model = Sequential([Input((10,)), Dense(3, "sigmoid"), Dropout(0.2), Dense(5, "sigmoid")], name="tiny", seed=1)
>>> model.summary()
Model: "tiny"
Layer (type)       Output shape  Parameters
───────────────────────────────────────────
input (Input)      (None, 10)
dense (Dense)      (None, 3)             33
dropout (Dropout)  (None, 3)              0
dense_1 (Dense)    (None, 5)             20
───────────────────────────────────────────
Total parameters: 53 (212 bytes)
>>> [layer.name for layer in model.to_message().layers]
['dense', 'dense_1']
"""

from collections.abc import Iterable
from typing import Any

from numbatch.models.inputs import InputLayer
from numbatch.models.layer import Layer, Symbol
from numbatch.models.model import Model
from numbatch.models.network import Network, network_of
from numbatch.models.structure import structure_of
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


class Sequential(Model):
    """A model whose layers follow each other.

    Parameters
    ----------
    layers : iterable of Layer
        The first may be what `Input` returns. Without it the model is built when it is called on a symbol, or by
        `build`.
    name, seed
        See `Model`.

    Raises
    ------
    InvalidArgumentError, InvalidModelError
        If a layer cannot take what the one before it gives, or a name is given twice.
    """

    def __init__(self, layers: Iterable[Layer | Symbol] = (), *, name: str = "", seed: int | None = None) -> None:
        super().__init__(name=name, seed=seed)
        self._added: list[Layer] = []
        self._input: Symbol | None = None
        self._output: Any = None
        for layer in layers:
            self.add(layer)

    def add(self, layer: Layer | Symbol) -> None:
        """Add a layer after the others; or, before all others, what `Input` returns."""
        field = f"{self.name}.layers[{len(self._added)}]"
        if isinstance(layer, Symbol) and isinstance(layer.call.layer, InputLayer):
            if self._added or self._input is not None:
                raise error(Reason.INVALID_FIELD, field=field, got=layer, expected="a layer: an Input comes first")
            self._input = self._output = layer
            return
        if not isinstance(layer, Layer):
            raise error(Reason.INVALID_FIELD, field=field, got=repr(layer), expected="a layer, such as Dense(3)")
        if not layer.is_named:
            self._name_by_number(layer)
        if self._input is not None:
            self._follow(layer)
        self._added.append(layer)

    @property
    def layers(self) -> list[Layer]:
        """Its layers without the input, in order."""
        return list(dict.fromkeys(self._added))

    @property
    def built(self) -> bool:
        """Whether the shapes of its layers are known."""
        return self._input is not None

    @property
    def _network(self) -> Network:
        """What it computes."""
        if self._input is None:
            return super()._network
        if not self._added:
            raise error(Reason.INVALID_FIELD, field=f"{self.name}.layers", got="none", expected="one or more")
        if self._connected is None:
            gives, outputs = structure_of(self._output)
            takes, inputs = structure_of(self._input)
            self._connected = network_of(inputs, outputs, takes, gives, self.name)
        return self._connected

    def _call_on(self, inputs: Any) -> None:
        self._output = inputs
        for layer in self._added:
            self._follow(layer)
        self._input = inputs

    def _follow(self, layer: Layer) -> None:
        self._output = layer(self._output)
        self._connected = None
        self._draw(layer)

    def _name_by_number(self, layer: Layer) -> None:
        taken, number, name = {each.name for each in self._added}, 0, layer.name
        while name in taken and layer not in self._added:
            number += 1
            name = f"{layer.name}_{number}"
        layer.adopt(name)

"""Lookup tables and several inputs, served: how far a diabetes will progress in a year.

    python examples/keras/wide_and_deep.py

A wide part remembers what is known of each combination of age group, sex and weight class; a deep part generalises from
measurements, and from what it has learnt of each group alone. Their sum is the answer. Clients send row numbers of the
tables, which are integers, beside the measurements.

It needs `pip install 'numbatch[convert]' scikit-learn keras` and a backend of Keras, such as tensorflow.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client
from numbatch.convert import from_keras, verify
from numbatch.models import write_model

AGES = [30, 40, 50, 60]  # years; five groups
WEIGHTS = [18.5, 25, 30]  # body mass index; four classes
GROUPS = 5 + 2 + 4
CROSSED = 5 * 2 * 4


def inputs_of(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the model's inputs: measurements, and the row numbers of tables."""
    age, sex, weight = np.digitize(x[:, 0], AGES), x[:, 1].astype(int) - 1, np.digitize(x[:, 2], WEIGHTS)
    groups = np.stack([age, 5 + sex, 5 + 2 + weight], axis=-1)  # one table after the other
    crossed = (age * 2 + sex) * 4 + weight
    return {
        "measurements": x.astype(np.float32),
        "groups": groups.astype(np.int32),
        "crossed": crossed[:, None].astype(np.int32),
    }


def train(x: dict[str, np.ndarray], y: np.ndarray) -> keras.Model:
    """Return a trained network of a wide and a deep part."""
    keras.utils.set_random_seed(1)
    measurements = keras.Input((10,), name="measurements")
    groups = keras.Input((3,), name="groups", dtype="int32")
    crossed = keras.Input((1,), name="crossed", dtype="int32")

    wide = keras.layers.Embedding(CROSSED, 1, embeddings_initializer="zeros", name="table_of_crossed")(crossed)
    wide = keras.layers.Flatten(name="wide")(wide)

    scaled = keras.layers.Normalization(name="scaled")
    scaled.adapt(x["measurements"])
    learnt = keras.layers.Flatten(name="learnt")(keras.layers.Embedding(GROUPS, 4, name="table_of_groups")(groups))
    deep = keras.layers.Concatenate(name="joined")([scaled(measurements), learnt])
    deep = keras.layers.Dense(32, "relu", name="hidden")(deep)
    deep = keras.layers.Dense(1, name="deep")(deep)

    model = keras.Model([measurements, groups, crossed], keras.layers.Add(name="progression")([wide, deep]))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit(x, y, epochs=60, verbose=0)
    return model


def main() -> None:
    """Train, import, verify, serve, compare."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=1)
    model, rows = train(inputs_of(x_train), y_train), inputs_of(x_test)

    converted = from_keras(model, name="diabetes")
    verification = verify(converted, rows)
    if not verification.passed:
        raise SystemExit(f"not what Keras computes: {verification.worst}")
    print(f"imported, verified: {', '.join(layer.name for layer in converted.model.layers)}")

    with tempfile.TemporaryDirectory() as repository:
        write_model(converted.model, Path(repository) / "diabetes" / "1")
        with ServerProcess(Path(repository)) as server, Client(server.address) as client:
            answers = client.infer("diabetes", rows, layers=["wide", "deep", "progression"])

    theirs, ours = np.asarray(model(rows))[:, 0], answers["progression"][:, 0]
    off = [np.abs(each - y_test).mean() for each in (np.full_like(y_test, y_train.mean()), theirs, ours)]
    print(f"\n{'':24}the mean  Keras  numbatch")
    print(f"{'off by, on average':24}{off[0]:8.2f}{off[1]:7.2f}{off[2]:10.2f}")
    print(f"outputs of up to {abs(theirs).max():.0f} differ by at most {abs(theirs - ours).max():.0e}")
    print(f"\n{'of the first patients:':24}    wide    deep     sum   known")
    for i in range(3):
        wide, deep, total = (answers[name][i, 0] for name in answers)
        print(f"{'':24}{wide:8.1f}{deep:8.1f}{total:8.1f}{y_test[i]:8.1f}")


if __name__ == "__main__":
    main()

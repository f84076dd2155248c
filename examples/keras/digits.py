"""A model of Keras, served: it says which digit is on an image of 8 x 8 pixels.

    python examples/keras/digits.py

It needs `pip install 'numbatch[convert]' scikit-learn keras` and a backend of Keras, such as tensorflow.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client


def train(x: np.ndarray, y: np.ndarray) -> keras.Model:
    """Return a network with a shortcut, trained."""
    keras.utils.set_random_seed(1)
    pixels = keras.Input((64,), name="pixels")
    scaled = keras.layers.Rescaling(1 / 16, name="scaled")(pixels)
    hidden = keras.layers.Dense(64, "relu", name="hidden")(scaled)
    hidden = keras.layers.BatchNormalization(name="normalised")(hidden)
    joined = keras.layers.Add(name="shortcut")([scaled, hidden])
    joined = keras.layers.Dropout(0.2, name="dropout")(joined)
    model = keras.Model(pixels, keras.layers.Dense(10, "softmax", name="probabilities")(joined), name="digits")
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=20, verbose=0)
    return model


def main() -> None:
    """Train, save, import and verify by the command, serve, compare."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x.astype(np.float32), y, stratify=y, random_state=1)
    model = train(x_train, y_train)

    with tempfile.TemporaryDirectory() as folder:
        file, rows, repository = (Path(folder) / name for name in ("digits.keras", "rows.npy", "models"))
        model.save(file)
        np.save(rows, x_test)
        # numbatch model import digits.keras --output models --input rows.npy
        # In Python: from_keras(file), or from_keras(model), of numbatch.convert.
        command = [
            sys.executable,
            "-m",
            "numbatch.cli",
            "model",
            "import",
            file,
            "--output",
            repository,
            "--input",
            rows,
        ]
        subprocess.run(command, check=True)

        with ServerProcess(repository) as server, Client(server.address) as client:
            ours = client.infer("digits", x_test)
            shortcut = client.infer("digits", x_test, layers=["shortcut"])["shortcut"]

    theirs = np.asarray(model(x_test))
    their_shortcut = np.asarray(keras.Model(model.input, model.get_layer("shortcut").output)(x_test))
    right = [int(np.sum(each.argmax(axis=-1) == y_test)) for each in (theirs, ours)]
    print(f"\n{'':24}Keras  numbatch")
    print(f"{f'right of {len(y_test)} images':24}{right[0]:5}{right[1]:10}")
    apart = [abs(theirs - ours).max(), abs(their_shortcut - shortcut).max()]
    print(f"probabilities differ by at most {apart[0]:.0e}, shortcut by {apart[1]:.0e}")


if __name__ == "__main__":
    main()

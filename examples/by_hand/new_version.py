"""A model built by hand, whose second version comes of what the server computes with the first.

    python examples/by_hand/new_version.py

It says which digit is on an image of 8 x 8 pixels. Its hidden layer stays as it was drawn from a seed. The server
computes that layer's outputs; the last layer is then the solution of linear equations, and becomes version 2 on the
same server.

It needs `pip install 'numbatch[server]' scikit-learn`.
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client
from numbatch.models import Dense, Input, Normalization, Sequential


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows whose largest output is that of the label."""
    return float(np.mean(answers.argmax(axis=-1) == labels))


def main() -> None:
    """Build, serve, train the last layer on what the server computes, serve that, compare."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x.astype(np.float32), y, stratify=y, random_state=1)

    scaled = Normalization(mean=8.0, variance=64.0, name="scaled")  # grey levels, 0 to 16, become -1 to 1
    hidden, scores = Dense(500, "tanh", name="hidden"), Dense(10, name="scores")
    model = Sequential([Input((64,), name="pixels"), scaled, hidden, scores], name="digits", seed=1)
    model.summary()

    with tempfile.TemporaryDirectory() as repository:
        model.save(Path(repository) / "digits")
        with ServerProcess(Path(repository)) as server, Client(server.address) as client:
            drawn = client.infer("digits", x_test)
            features = client.infer("digits", x_train, layers=["hidden"])["hidden"].astype(np.float64)

            # Ridge regression on what the hidden layer makes of the images.
            features = np.append(features, np.ones((len(features), 1)), axis=1)  # for the biases
            wanted = np.eye(10)[y_train]
            solution = np.linalg.solve(features.T @ features + 0.1 * np.eye(501), features.T @ wanted)
            scores.set_weights([solution[:-1], solution[-1]])

            version = client.load_model(model.to_message()).model_version
            solved = client.infer("digits", x_test)

    kernel, bias = hidden.get_weights()
    by_hand = np.tanh((x_test - 8) / 8 @ kernel + bias) @ solution[:-1] + solution[-1]
    print(f"\nversion 1, as drawn:  {accuracy(drawn, y_test):.1%} of {len(y_test)} images are right")
    print(f"version {version}, solved:    {accuracy(solved, y_test):.1%}")
    print(f"by hand, with NumPy:  {accuracy(by_hand, y_test):.1%}")
    print(f"scores differ by at most {abs(by_hand - solved).max():.0e}")


if __name__ == "__main__":
    main()

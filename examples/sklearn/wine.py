"""A pipeline of scikit-learn, served: it says from which of three growers a wine is.

    python examples/sklearn/wine.py

It needs `pip install 'numbatch[server]' scikit-learn`.
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client
from numbatch.convert import from_sklearn, verify
from numbatch.models import write_model


def main() -> None:
    """Train, import, verify, serve, compare."""
    x, y = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, stratify=y, random_state=1)
    network = MLPClassifier((32, 16), max_iter=500, random_state=1)
    pipeline = Pipeline([("scaler", StandardScaler()), ("network", network)]).fit(x_train, y_train)

    # The scaler becomes a layer of the model, so clients send measurements as they are.
    # At a terminal, of a pipeline that skops has saved: numbatch model import wine.skops --output models
    converted = from_sklearn(pipeline, name="wine")
    verification = verify(converted, x_test)
    if not verification.passed:
        raise SystemExit(f"not what scikit-learn computes: {verification.worst}")
    print(f"imported, verified: {', '.join(layer.name for layer in converted.model.layers)}")

    with tempfile.TemporaryDirectory() as repository:
        write_model(converted.model, Path(repository) / "wine" / "1")
        with ServerProcess(Path(repository)) as server, Client(server.address) as client:
            ours = client.infer("wine", x_test)
            hidden = client.infer("wine", x_test, layers=["network/hidden_0"])["network/hidden_0"]

    theirs = pipeline.predict_proba(x_test)
    their_hidden = np.maximum(pipeline["scaler"].transform(x_test) @ network.coefs_[0] + network.intercepts_[0], 0)
    right = [int(np.sum(each.argmax(axis=-1) == y_test)) for each in (theirs, ours)]
    print(f"{'':24}scikit-learn  numbatch")
    print(f"{f'right of {len(y_test)} wines':24}{right[0]:12}{right[1]:10}")
    apart = [abs(theirs - ours).max(), abs(their_hidden - hidden).max()]
    print(f"probabilities differ by at most {apart[0]:.0e}, hidden_0 by {apart[1]:.0e}")


if __name__ == "__main__":
    main()

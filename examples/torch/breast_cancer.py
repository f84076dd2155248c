"""A module of PyTorch, served: it says whether a tumour is benign.

    python examples/torch/breast_cancer.py

It needs `pip install 'numbatch[server]' scikit-learn torch`.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client
from numbatch.convert import from_torch, verify
from numbatch.models import write_model


class Network(nn.Module):
    """Normalisation, a layer, a block that adds to its input, and a probability."""

    def __init__(self) -> None:
        super().__init__()
        self.normalised = nn.BatchNorm1d(30)
        self.hidden = nn.Sequential(nn.Linear(30, 32), nn.ReLU())
        self.change = nn.Sequential(nn.Linear(32, 32), nn.GELU(), nn.Dropout(0.2), nn.Linear(32, 32))
        self.score = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the probability that a tumour is benign, for each row."""
        x = self.hidden(self.normalised(x))
        return torch.sigmoid(self.score(x + self.change(x)))


def train(x: torch.Tensor, y: torch.Tensor) -> Network:
    """Return a trained network."""
    torch.manual_seed(1)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    for _ in range(60):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy(network(x[rows])[:, 0], y[rows]).backward()
            optimizer.step()
    return network.eval()


def main() -> None:
    """Train, import, verify, serve, compare."""
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x.astype(np.float32), y, stratify=y, random_state=1)
    network = train(torch.from_numpy(x_train), torch.from_numpy(y_train).float())

    # A program that torch.export has saved is read without PyTorch, at a terminal by
    # numbatch model import breast_cancer.pt2 --output models
    converted = from_torch(network, name="breast_cancer")
    verification = verify(converted, x_test)
    if not verification.passed:
        raise SystemExit(f"not what PyTorch computes: {verification.worst}")
    print(f"imported, verified: {', '.join(layer.name for layer in converted.model.layers)}")

    with tempfile.TemporaryDirectory() as repository:
        write_model(converted.model, Path(repository) / "breast_cancer" / "1")
        with ServerProcess(Path(repository)) as server, Client(server.address) as client:
            ours = client.infer("breast_cancer", x_test)
            hidden = client.infer("breast_cancer", x_test, layers=["hidden.1"])["hidden.1"]

    with torch.no_grad():
        rows = torch.from_numpy(x_test)
        theirs, their_hidden = network(rows).numpy(), network.hidden(network.normalised(rows)).numpy()
    right = [int(np.sum((each[:, 0] > 0.5) == y_test)) for each in (theirs, ours)]
    print(f"{'':24}PyTorch  numbatch")
    print(f"{f'right of {len(y_test)} tumours':24}{right[0]:7}{right[1]:10}")
    apart = [abs(theirs - ours).max(), abs(their_hidden - hidden).max()]
    print(f"probabilities differ by at most {apart[0]:.0e}, hidden by {apart[1]:.0e}")


if __name__ == "__main__":
    main()

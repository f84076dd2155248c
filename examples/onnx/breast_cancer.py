"""An ONNX file, served: it says whether a tumour is benign.

    python examples/onnx/breast_cancer.py

ONNX files come from many tools. This one is written here, node by node, around weights that scikit-learn has trained.

It needs `pip install 'numbatch[convert]' scikit-learn onnxruntime`.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client
from numbatch.convert import from_onnx, verify
from numbatch.models import write_model


def train(x: np.ndarray, y: np.ndarray) -> onnx.ModelProto:
    """Return a trained network of one hidden layer, as ONNX."""
    scaler = StandardScaler().fit(x)
    network = MLPClassifier((24,), max_iter=400, random_state=1).fit(scaler.transform(x), y)
    weights = {"mean": scaler.mean_, "deviation": scaler.scale_}
    weights |= {
        "w1": network.coefs_[0],
        "b1": network.intercepts_[0],
        "w2": network.coefs_[1],
        "b2": network.intercepts_[1],
    }
    graph = make_graph(
        [
            make_node("Sub", ["features", "mean"], ["centred"]),
            make_node("Div", ["centred", "deviation"], ["scaled"]),
            make_node("Gemm", ["scaled", "w1", "b1"], ["sums"]),
            make_node("Relu", ["sums"], ["hidden"]),
            make_node("Gemm", ["hidden", "w2", "b2"], ["score"]),
            make_node("Sigmoid", ["score"], ["probability"]),
        ],
        "breast_cancer",
        [make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["rows", 30])],
        [make_tensor_value_info("probability", onnx.TensorProto.FLOAT, ["rows", 1])],
        [from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    return make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """Return the probabilities and the hidden layer, as ONNX Runtime computes them; it must be told of the second."""
    told = onnx.ModelProto()
    told.CopyFrom(model)
    told.graph.output.append(make_tensor_value_info("hidden", onnx.TensorProto.FLOAT, ["rows", 24]))
    session = onnxruntime.InferenceSession(told.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run(None, {"features": x})
    return outputs


def main() -> None:
    """Train, import, verify, serve, compare."""
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x.astype(np.float32), y, stratify=y, random_state=1)
    model = train(x_train, y_train)

    with tempfile.TemporaryDirectory() as folder:
        file, repository = Path(folder) / "breast_cancer.onnx", Path(folder) / "models"
        onnx.save(model, file)
        # At a terminal: numbatch model import breast_cancer.onnx --output models
        converted = from_onnx(file)
        verification = verify(converted, x_test)
        if not verification.passed:
            raise SystemExit(f"not what ONNX Runtime computes: {verification.worst}")
        print(f"imported, verified: {', '.join(layer.name for layer in converted.model.layers)}")

        write_model(converted.model, repository / "breast_cancer" / "1")
        with ServerProcess(repository) as server, Client(server.address) as client:
            ours = client.infer("breast_cancer", x_test)
            hidden = client.infer("breast_cancer", x_test, layers=["hidden"])["hidden"]

    theirs, their_hidden = run(model, x_test)
    right = [int(np.sum((each[:, 0] > 0.5) == y_test)) for each in (theirs, ours)]
    print(f"{'':24}ONNX Runtime  numbatch")
    print(f"{f'right of {len(y_test)} tumours':24}{right[0]:12}{right[1]:10}")
    apart = [abs(theirs - ours).max(), abs(their_hidden - hidden).max()]
    print(f"probabilities differ by at most {apart[0]:.0e}, hidden by {apart[1]:.0e}")


if __name__ == "__main__":
    main()

"""The same lessons with TensorFlow here and now, and the models brought over by `from_keras`."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow", reason="needs TensorFlow: make test-frameworks")
keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")

from numbatch.client import Client  # noqa: E402
from numbatch.convert.keras import from_keras  # noqa: E402
from numbatch.engine import load_model  # noqa: E402
from numbatch.wire.models import array_of  # noqa: E402
from parity.lessons import LESSONS, recorded, subclassed, taught  # noqa: E402
from parity.models import MOST_ULPS, distance, model_of  # noqa: E402
from support.agreement import ulps  # noqa: E402
from support.server import running_server  # noqa: E402


@pytest.mark.parametrize("lesson", LESSONS)
def test_tensorflow_still_computes_what_was_recorded(lesson: str) -> None:
    now, then = taught(lesson), recorded(lesson)
    assert now.keys() == then.keys()
    for name, array in now.items():
        if name in dict(LESSONS[lesson]):
            assert distance(lesson, name, array, then) <= MOST_ULPS, name
        else:
            np.testing.assert_array_equal(array, then[name])


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_layer_is_what_tensorflow_computes(lesson: str) -> None:
    now = taught(lesson)
    layers = [name for name, _ in LESSONS[lesson]]
    for name, array in load_model(model_of(lesson, now)).infer(now["x"], layers=layers).items():
        assert distance(lesson, name, array, now) <= MOST_ULPS, name


def test_a_subclassed_model_is_served_and_recomputed_with_its_weights() -> None:
    keras.utils.set_random_seed(1)
    model = subclassed()
    x = np.random.default_rng(1).normal(size=(8, 16)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(x))
    with running_server([from_keras(model, name="net").model]) as server, Client(server.address) as client:
        served = client.infer("net", x)
        first, second = client.get_model("net").layers
    assert ulps(served, expected) <= MOST_ULPS
    # By hand, with TensorFlow, from what the server holds.
    z = tf.constant(x)
    for layer in (first, second):
        z = tf.nn.sigmoid(tf.linalg.matmul(z, array_of(layer.dense.kernel)) + array_of(layer.dense.bias))
    assert ulps(served, keras.ops.convert_to_numpy(z)) <= MOST_ULPS
    for served_weights, own in zip((first, second), (model.first, model.second), strict=True):
        np.testing.assert_array_equal(array_of(served_weights.dense.kernel), own.get_weights()[0])
        np.testing.assert_array_equal(array_of(served_weights.dense.bias), own.get_weights()[1])

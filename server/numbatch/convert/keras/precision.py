"""Everything is served in float32: what is kept or computed otherwise is said, or refused."""

from collections.abc import Mapping

from numbatch.convert.keras.network import Operation
from numbatch.wire.reasons import Reason

_PLAIN = ("float32", "")


def note_precision(operation: Operation, notes: list[str]) -> None:
    """Add what becomes of a layer's precision to the notes.

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, if its weights are quantised.
    """
    policy = _policy(operation)
    if policy.startswith(("int", "float8", "gptq", "awq")) and operation.kind != "InputLayer":
        raise operation.refusal(
            f"quantised weights ({policy})",
            reason=Reason.FEATURE_UNSUPPORTED,
            expected="float32, float16 or bfloat16",
            hint="convert the model as it was before model.quantize(); numbatch can keep weights as bfloat16 itself",
        )
    if policy not in _PLAIN and operation.variables:
        _say(notes, f"computed in float32, where Keras has the policy {policy}")
    for name, array in operation.variables.items():
        if array.dtype.kind == "f" and array.dtype.itemsize != 4:
            what = "rounded" if array.dtype.itemsize > 4 else "widened"
            _say(notes, f"{array.dtype.name} weights are {what} to float32")
            operation.variables[name] = array.astype("float32")


def _policy(operation: Operation) -> str:
    policy = operation.config.get("dtype")
    if isinstance(policy, Mapping):
        config = policy.get("config")
        return str(config.get("name") or config.get("mode") or "") if isinstance(config, Mapping) else ""
    return str(policy or "")


def _say(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)

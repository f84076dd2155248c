"""Reading the JSON that Keras writes."""

import json
from collections.abc import Mapping
from typing import Any

from numbatch.convert.keras.network import corrupt


def read_json(data: bytes, field: str) -> Mapping[str, Any]:
    """Return an object of JSON, with lists for what Keras writes as tuples and shapes.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if it is none.
    """
    try:
        content = _plain(json.loads(data))
    except (ValueError, RecursionError) as broken:
        raise corrupt("no JSON", field=field, got=str(broken)) from broken
    if not isinstance(content, dict):
        raise corrupt(
            "no description of a model", field=field, got=type(content).__name__, expected="class_name, config"
        )
    return content


def _plain(data: Any) -> Any:
    if isinstance(data, list):
        return [_plain(each) for each in data]
    if not isinstance(data, dict):
        return data
    if data.get("class_name") in ("__tuple__", "TensorShape") and isinstance(data.get("items"), list):
        return _plain(data["items"])
    if data.get("class_name") == "__tuple__" and isinstance(data.get("config"), dict):
        return _plain(data["config"].get("value", []))
    return {key: _plain(each) for key, each in data.items()}

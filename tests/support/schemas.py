"""Published schemas, and what of a document does not fit them."""

import json
from functools import cache
from typing import Any

import fastjsonschema

from support.project import ROOT

FOLDER = ROOT / "tests" / "deploy" / "schemas"


@cache
def _validator(file: str, kind: str) -> Any:
    schema = json.loads((FOLDER / file).read_text())
    told = {"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]} if kind else schema
    return fastjsonschema.compile(told, use_formats=False, use_default=False)


@cache
def _files() -> dict[str, str]:
    """Which file has the schema of a kind."""
    files = ("kubernetes.json", "kserve.json", "operator.json")
    return {kind: file for file in files for kind in json.loads((FOLDER / file).read_text())["$defs"]}


def misfit_of_composition(document: dict[str, Any]) -> str:
    """Return what of a compose file does not fit its schema; "" if all does."""
    return _misfit("compose.json", "", document)


def misfit_of_manifest(document: dict[str, Any]) -> str:
    """Return what of a manifest does not fit the schema of its kind."""
    kind = document["kind"]
    return _misfit(_files()[kind], kind, document)


def _misfit(file: str, kind: str, document: dict[str, Any]) -> str:
    try:
        _validator(file, kind)(document)
    except fastjsonschema.JsonSchemaValueException as refused:
        return str(refused.message)
    return ""

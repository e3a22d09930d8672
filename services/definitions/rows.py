"""Documents as rows and back: `document → rows → document` is the identity."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.definitions.document import Document, Step, as_json
from services.json import Json, JsonObject

# The columns of their own; every other field of a step stands in `config`, under its name in the document.
_COLUMNS = {
    "name": "name",
    "kind": "kind",
    "order": "order",
    "parallel_group": "parallel_group",
    "role_name": "role_name",
    "condition": "condition",
    "input_mapping": "input_mapping",
    "output_mapping": "output_mapping",
    "max_retries": "max_retries",
    "retry_delay": "retry_delay_ms",
    "timeout": "timeout_ms",
}
_JSON_COLUMNS = ("condition", "input_mapping", "output_mapping")
_FIELDS = {field.name: field for field in msgspec.structs.fields(Step)}


def document_row(document: Document) -> JsonObject:
    """What the version's row keeps: everything but the steps."""
    return {name: value for name, value in as_json(document).items() if name != "steps"}


def step_rows(document: Document, roles: Mapping[str, UUID]) -> list[dict[str, Any]]:
    """The rows of the steps, without the version that they belong to. JSON columns hold JSON text, null where unset."""
    return [_step_row(step, roles) for step in document.steps]


def document_of(version: JsonObject, steps: Sequence[Mapping[str, Any]]) -> Document:
    """The document of a version's row and the rows of its steps, JSON columns decoded."""
    ordered = sorted((_step(row) for row in steps), key=lambda step: (step.order, step.name))
    return msgspec.convert({**version, "steps": [msgspec.to_builtins(step) for step in ordered]}, Document)


def _step_row(step: Step, roles: Mapping[str, UUID]) -> dict[str, Any]:
    row: dict[str, Any] = {column: getattr(step, name) for name, column in _COLUMNS.items()}
    for column in _JSON_COLUMNS:
        row[column] = None if row[column] is None else _text(row[column])
    config = {
        field.encode_name: value
        for name, field in _FIELDS.items()
        if name not in _COLUMNS and (value := getattr(step, name)) != field.default
    }
    return {**row, "config": _text(config), "role_id": roles[step.role_name] if step.role_name else None}


def _step(row: Mapping[str, Any]) -> Step:
    own: dict[str, Json] = {_FIELDS[name].encode_name: row[column] for name, column in _COLUMNS.items()}
    return msgspec.convert({**own, **row["config"]}, Step)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()

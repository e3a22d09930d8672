"""Documents as rows and back: `document → rows → document` is the identity."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from services.definitions.document import Document, Slot, Step, as_json, main_slots, slots
from services.definitions.tree import alone, holding
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
_NAMES = {field.name: field.encode_name for field in msgspec.structs.fields(Step)}
_IN_COLUMNS = frozenset(_NAMES[name] for name in _COLUMNS)

_Row: TypeAlias = Mapping[str, Any]
_Held: TypeAlias = Mapping[UUID | None, Sequence[_Row]]


def document_row(document: Document) -> JsonObject:
    """What the version's row keeps: everything but the steps."""
    return {name: value for name, value in as_json(document).items() if name not in ("steps", "onFailure", "finally")}


def step_rows(document: Document, roles: Mapping[str, UUID], new_id: Callable[[], UUID]) -> list[dict[str, Any]]:
    """The rows of all steps, each before those that it holds, without the version that they belong to.

    Every row gets an id of its own. JSON columns hold JSON text, null where unset; so is the role of a step that names
    one that is not there.
    """
    found: list[dict[str, Any]] = []

    def add(parent: UUID | None, held: Iterator[tuple[Slot, tuple[Step, ...]]]) -> None:
        for slot, steps in held:
            for step in steps:
                id = new_id()
                role_id = None if step.role_name is None else roles.get(step.role_name)
                found.append({"id": id, "parent_id": parent, "slot": slot, **_own_columns(step), "role_id": role_id})
                add(id, slots(step))

    add(None, main_slots(document))
    return found


def document_of(version: JsonObject, steps: Sequence[_Row]) -> Document:
    """The document of a version's row and the rows of its steps, JSON columns decoded.

    Raises:
        ValueError: a row stands in no slot of the document.
    """
    by_parent: dict[UUID | None, list[_Row]] = defaultdict(list)
    for row in steps:
        by_parent[row["parent_id"]].append(row)
    held = _in_slots(None, by_parent)
    document = msgspec.convert({**version, "steps": []}, Document)
    document = msgspec.structs.replace(
        document,
        steps=held.get("main", ()),
        on_failure=held.get("onFailure", ()),
        finally_=held.get("finally", ()),
    )
    if stray := {row["name"] for row in steps} - _names(main_slots(document)):
        raise ValueError(f"these steps stand in no slot of what holds them: {', '.join(sorted(stray))}")
    return document


def _own_columns(step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {column: getattr(step, name) for name, column in _COLUMNS.items()}
    for column in _JSON_COLUMNS:
        row[column] = None if row[column] is None else _text(row[column])
    config = {name: value for name, value in as_json(alone(step)).items() if name not in _IN_COLUMNS}
    return {**row, "config": _text(config)}


def _in_slots(parent: UUID | None, by_parent: _Held) -> dict[Slot, tuple[Step, ...]]:
    """The steps that stand below `parent`, by their slots and in their sequence."""
    held: dict[Slot, list[Step]] = defaultdict(list)
    for row in by_parent.get(parent, ()):
        held[row["slot"]].append(_step(row, by_parent))
    return {slot: tuple(sorted(steps, key=lambda step: (step.order, step.name))) for slot, steps in held.items()}


def _step(row: _Row, by_parent: _Held) -> Step:
    own: dict[str, Json] = {_NAMES[name]: row[column] for name, column in _COLUMNS.items()}
    return holding(msgspec.convert({**own, **row["config"]}, Step), _in_slots(row["id"], by_parent))


def _names(held: Iterator[tuple[Slot, tuple[Step, ...]]]) -> set[str]:
    return {name for _, steps in held for step in steps for name in (step.name, *_names(slots(step)))}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()

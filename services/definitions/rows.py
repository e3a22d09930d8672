"""Documents as rows and back: `document → rows → document` is the identity."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from services.definitions.document import (
    MAX_NESTING,
    Document,
    Fallback,
    Slot,
    Step,
    as_json,
    main_slots,
    slots,
)
from services.definitions.structure import pointer, read_fields
from services.definitions.tree import alone, holding
from services.json import Json, JsonObject
from services.problem import Problem, said

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
_LISTS = ("steps", "onFailure", "finally", "else", "compensate")
_NOT_IN_CONFIG = _IN_COLUMNS.union(_LISTS)

T = TypeVar("T", Document, Step)
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


class UnreadableRows(ValueError):
    """Rows that no document can be read from: what is wrong with each of them.

    The place of a problem is the field of the document or, of a step, its name and the field.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(said(problems))
        self.problems = tuple(problems)


def document_of(version: JsonObject, steps: Sequence[_Row]) -> Document:
    """The document of a version's row and the rows of its steps, JSON columns decoded.

    Raises:
        UnreadableRows: somebody has written into them what no document can have.
    """
    problems = [_misplaced(name, "/" + name) for name in _LISTS if name in version]
    fields = {name: value for name, value in version.items() if name not in _LISTS}
    document = _read(Document, {**fields, "steps": []}, "", problems)
    by_id = {row["id"]: _step(row, problems) for row in steps}
    if not problems:
        by_parent: dict[UUID | None, list[_Row]] = defaultdict(list)
        for row in steps:
            by_parent[row["parent_id"]].append(row)
        held = _in_slots(None, by_parent, by_id)
        document = msgspec.structs.replace(
            document,
            steps=held.get("main", ()),
            on_failure=held.get("onFailure", ()),
            finally_=held.get("finally", ()),
        )
        stray = {row["name"] for row in steps} - _names(main_slots(document))
        problems += [_nowhere(row) for row in steps if row["name"] in stray]
    if problems:
        raise UnreadableRows(problems)
    return document


def _own_columns(step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {column: getattr(step, name) for name, column in _COLUMNS.items()}
    for column in _JSON_COLUMNS:
        row[column] = None if row[column] is None else _text(row[column])
    config = {name: value for name, value in as_json(alone(step)).items() if name not in _IN_COLUMNS}
    return {**row, "config": _text(config)}


def _in_slots(
    parent: UUID | None, by_parent: _Held, by_id: Mapping[UUID, Step], depth: int = 0
) -> dict[Slot, tuple[Step, ...]]:
    """The steps that stand below `parent`, by their slots and in their sequence; none too far down."""
    held: dict[Slot, list[Step]] = defaultdict(list)
    for row in by_parent.get(parent, ()) if depth <= MAX_NESTING else ():
        held[row["slot"]].append(holding(by_id[row["id"]], _in_slots(row["id"], by_parent, by_id, depth + 1)))
    return {slot: tuple(sorted(steps, key=lambda step: (step.order, step.name))) for slot, steps in held.items()}


def _step(row: _Row, problems: list[Problem]) -> Step:
    """The step of a row, without those that it holds."""
    path = pointer(row["name"])
    config = row["config"]
    if not isinstance(config, dict):
        problems.append(Problem(code="WRONG_VALUE", path=path, message="`config` is an object"))
        config = {}
    own: dict[str, Json] = {_NAMES[name]: row[column] for name, column in _COLUMNS.items()}
    problems += [_misplaced(name, path + pointer(name)) for name in config if name in _NOT_IN_CONFIG]
    fields = {name: value for name, value in _with_room(config).items() if name not in _NOT_IN_CONFIG}
    step = _read(Step, {**fields, **own}, path, problems)
    problems += [_misplaced("steps", path + place) for place, steps in _written_inside(step) if steps]
    return step


def _with_room(config: JsonObject) -> JsonObject:
    """The config with a place for the steps of each case and handler, which people need not write: steps are rows."""
    on_error = config.get("onError")
    with_cases = {"cases": _each_with_room(config["cases"])} if "cases" in config else {}
    if isinstance(on_error, dict) and "catch" in on_error:
        return {**config, **with_cases, "onError": {**on_error, "catch": _each_with_room(on_error["catch"])}}
    return {**config, **with_cases}


def _each_with_room(parts: Json) -> Json:
    if not isinstance(parts, list):
        return parts
    return [{"steps": [], **part} if isinstance(part, dict) else part for part in parts]


def _read(type_: type[T], raw: JsonObject, path: str, problems: list[Problem]) -> T:
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError:
        values = read_fields(type_, raw, path, problems)
    # What nobody sees, because there are problems; it only holds the place of what could be read.
    return type_(**{"name": "Unreadable", "steps": (), **values})


def _written_inside(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The steps that stand in the cases and handlers of a step's own row."""
    for index, case in enumerate(step.cases):
        yield f"/cases/{index}/steps", case.steps
    if isinstance(step.on_error, Fallback) and step.on_error.catch is not msgspec.UNSET:
        for index, handler in enumerate(step.on_error.catch):
            yield f"/onError/catch/{index}/steps", handler.steps


def _misplaced(name: str, path: str) -> Problem:
    where = "rows of their own, below the row that holds them" if name in _LISTS else "a column of its own"
    return Problem(code="UNKNOWN_FIELD", path=path, message=f"`{name}` is not written here: it is {where}")


def _nowhere(row: _Row) -> Problem:
    message = f"the step stands in the slot {row['slot'][:100]!r}, which nothing has that holds it"
    return Problem(code="WRONG_VALUE", path=pointer(row["name"]), message=message)


def _names(held: Iterator[tuple[Slot, tuple[Step, ...]]]) -> set[str]:
    return {name for _, steps in held for step in steps for name in (step.name, *_names(slots(step)))}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()

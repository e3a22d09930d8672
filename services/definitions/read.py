"""A typed document out of decoded JSON, in our form or the classic one, with every structural problem at once."""

from typing import Any
from uuid import UUID

from services.definitions.catalog import Catalog
from services.definitions.document import FIELDS_OF_KIND, KINDS, Document, Step
from services.definitions.structure import pointer, read_fields
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem

# The classic `stepType`: what each says that another field has to say as well.
_STEP_TYPES: dict[str, str | None] = {"sequential": None, "parallel": "parallelGroup", "conditional": "condition"}


def read_document(raw: Json, catalog: Catalog) -> tuple[Document | None, list[Problem]]:
    """The document that `raw` spells, or None, and what is wrong with its structure.

    Steps without an `order` get their place in the list; `roleId` becomes the role's name; `stepType` is checked and
    dropped.
    """
    if not isinstance(raw, dict):
        return None, [Problem(code="WRONG_VALUE", path="", message="a document is an object with `name` and `steps`")]
    problems: list[Problem] = []
    listed = raw.get("steps")
    values = read_fields(Document, {**raw, "steps": []} if "steps" in raw else raw, "", problems)
    if "steps" in raw and not isinstance(listed, list):
        problems.append(Problem(code="WRONG_VALUE", path="/steps", message="`steps` is a list of steps"))
    elif isinstance(listed, list) and not listed:
        problems.append(Problem(code="REQUIRED", path="/steps", message="an orchestration has at least one step"))
    items = listed if isinstance(listed, list) else []
    steps = [_read_step(step, index, catalog, problems) for index, step in enumerate(items)]
    if problems:
        return None, problems
    ordered = sorted((step for step in steps if step is not None), key=lambda step: (step.order, step.name))
    return Document(**{**values, "steps": tuple(ordered)}), []


def _read_step(raw: Json, index: int, catalog: Catalog, problems: list[Problem]) -> Step | None:
    path = pointer("steps", index)
    if not isinstance(raw, dict):
        problems.append(Problem(code="WRONG_VALUE", path=path, message="a step is an object with a `name`"))
        return None
    found = len(problems)
    fields = _without_classic(raw, path, catalog, problems)
    values: dict[str, Any] = {"order": index, **read_fields(Step, fields, path, problems)}
    _check_kind(fields, path, problems)
    return Step(**values) if len(problems) == found else None


def _without_classic(raw: dict[str, Json], path: str, catalog: Catalog, problems: list[Problem]) -> dict[str, Json]:
    fields = {name: value for name, value in raw.items() if name not in ("stepType", "roleId")}
    if "stepType" in raw:
        _check_step_type(raw, path, problems)
    if "roleId" in raw:
        names = {id: name for name, id in catalog.roles.items()}
        id = _as_uuid(raw["roleId"])
        name = None if id is None else names.get(id)
        if name is None:
            message = f"there is no role with the id {raw['roleId']!r}"
            problems.append(
                Problem(code="UNKNOWN_ROLE", path=path + "/roleId", message=message, allowed=(*names.values(),))
            )
        elif fields.setdefault("roleName", name) != name:
            message = f"`roleId` is the role {name!r}, `roleName` says {fields['roleName']!r}; one of them is enough"
            problems.append(Problem(code="ROLE_CONFLICT", path=path + "/roleName", message=message, allowed=(name,)))
    return fields


def _check_step_type(raw: dict[str, Json], path: str, problems: list[Problem]) -> None:
    step_type = raw["stepType"]
    allowed = tuple(_STEP_TYPES)
    if not isinstance(step_type, str) or step_type not in _STEP_TYPES:
        message = f"there is no step type {step_type!r}"
        near = suggestion(str(step_type), allowed)
        problems.append(
            Problem(code="WRONG_VALUE", path=path + "/stepType", message=message, allowed=allowed, suggestion=near)
        )
    elif (needed := _STEP_TYPES[step_type]) is not None and raw.get(needed) is None:
        message = f"a step of the type `{step_type}` needs `{needed}`"
        problems.append(Problem(code="REQUIRED", path=path, message=message, allowed=(needed,)))


def _check_kind(fields: dict[str, Json], path: str, problems: list[Problem]) -> None:
    kind = fields.get("kind", "agent")
    if kind not in KINDS:
        return  # said already, as a wrong value
    for name, kinds in FIELDS_OF_KIND.items():
        if fields.get(name) is not None and kind not in kinds:
            message = f"`{name}` belongs to steps of the kind {' or '.join(kinds)}; this one is of the kind {kind}"
            problems.append(
                Problem(code="FIELD_OF_OTHER_KIND", path=path + pointer(name), message=message, allowed=kinds)
            )


def _as_uuid(value: Json) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None

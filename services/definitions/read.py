"""A typed document out of decoded JSON, in our form or the classic one, with every structural problem at once."""

from typing import Any, NamedTuple
from uuid import UUID

from services.definitions.catalog import Catalog
from services.definitions.document import FIELDS_OF_KIND, KINDS, Document, Step
from services.definitions.patch import Add, Operation, Remove, Replace
from services.definitions.structure import pointer, read_fields
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem

# The classic `stepType`: what each says that another field has to say as well.
_STEP_TYPES: dict[str, str | None] = {"sequential": None, "parallel": "parallelGroup", "conditional": "condition"}
_CLASSIC = ("stepType", "roleId")


class Read(NamedTuple):
    """A document in its sequence, where each of its steps stood in what was read, and what is wrong with that."""

    document: Document | None
    places: tuple[str, ...]
    problems: list[Problem]


def read_document(raw: Json, catalog: Catalog) -> Read:
    """The document that `raw` spells, unless something is wrong with its structure.

    Steps without an `order` get their place in the list; `roleId` becomes the role's name; `stepType` is checked and
    dropped.
    """
    if not isinstance(raw, dict):
        message = "a document is an object with `name` and `steps`"
        return Read(None, (), [Problem(code="WRONG_VALUE", path="", message=message)])
    problems: list[Problem] = []
    listed = raw.get("steps")
    values = read_fields(Document, {**raw, "steps": []} if "steps" in raw else raw, "", problems)
    if "steps" in raw and not isinstance(listed, list):
        problems.append(_no_list(listed))
    elif isinstance(listed, list) and not listed:
        problems.append(Problem(code="REQUIRED", path="/steps", message="an orchestration has at least one step"))
    items = listed if isinstance(listed, list) else []
    steps = [_read_step(step, index, catalog, problems) for index, step in enumerate(items)]
    if problems:
        return Read(None, (), problems)
    ordered = _in_sequence([step for step in steps if step is not None])
    document = Document(**{**values, "steps": tuple(step for _, step in ordered)})
    return Read(document, tuple(pointer("steps", index) for index, _ in ordered), [])


def _in_sequence(steps: list[Step]) -> list[tuple[int, Step]]:
    """The steps in their order, each with its place in the list.

    Those of one order are the members of one group, and their names decide. Where they wrongly are not, the place in
    the list does, and members stay together.
    """
    first: dict[tuple[int, str | int], int] = {}
    for index, step in enumerate(steps):
        first.setdefault((step.order, step.parallel_group or index), index)

    def key(entry: tuple[int, Step]) -> tuple[int, int, str]:
        index, step = entry
        return step.order, first[step.order, step.parallel_group or index], step.name

    return sorted(enumerate(steps), key=key)


def _no_list(listed: Json) -> Problem:
    is_step = isinstance(listed, dict) and "name" in listed
    patch: tuple[Operation, ...] = (Replace(path="/steps", value=[listed]),) if is_step else ()
    return Problem(code="WRONG_VALUE", path="/steps", message="`steps` is a list of steps", patch=patch)


def _read_step(raw: Json, index: int, catalog: Catalog, problems: list[Problem]) -> Step | None:
    path = pointer("steps", index)
    if not isinstance(raw, dict):
        problems.append(Problem(code="WRONG_VALUE", path=path, message="a step is an object with a `name`"))
        return None
    found = len(problems)
    fields = _without_classic(raw, path, catalog, problems)
    values: dict[str, Any] = {"order": index, **read_fields(Step, fields, path, problems, also=_CLASSIC)}
    _check_kind(raw, fields, path, problems)
    return Step(**values) if len(problems) == found else None


def _without_classic(raw: dict[str, Json], path: str, catalog: Catalog, problems: list[Problem]) -> dict[str, Json]:
    fields = {name: value for name, value in raw.items() if name not in _CLASSIC}
    if "stepType" in raw:
        _check_step_type(raw, path, problems)
    if "roleId" in raw:
        _name_role(raw["roleId"], fields, path, catalog, problems)
    return fields


def _name_role(role_id: Json, fields: dict[str, Json], path: str, catalog: Catalog, problems: list[Problem]) -> None:
    """Put the name of the role into `fields`; a `roleName` that stands there already has to be the same."""
    names = {id: name for name, id in catalog.roles.items()}
    id = _as_uuid(role_id)
    name = None if id is None else names.get(id)
    if name is None:
        message = f"there is no role with the id {role_id!r}"
        # A role that was named as well needs no id.
        patch = (Remove(path=path + "/roleId"),) if fields.get("roleName") in catalog.roles else ()
        known = tuple(names.values())
        problems.append(
            Problem(code="UNKNOWN_ROLE", path=path + "/roleId", message=message, allowed=known, patch=patch)
        )
    elif fields.setdefault("roleName", name) != name:
        place = path + "/roleName"
        message = f"`roleId` is the role {name!r}, `roleName` says {fields['roleName']!r}; one of them is enough"
        problems.append(
            Problem(code="ROLE_CONFLICT", path=place, message=message, allowed=(name,), patch=(Remove(path=place),))
        )


def _check_step_type(raw: dict[str, Json], path: str, problems: list[Problem]) -> None:
    step_type, place = raw["stepType"], path + "/stepType"
    allowed = tuple(_STEP_TYPES)
    if not isinstance(step_type, str) or step_type not in _STEP_TYPES:
        message = f"there is no step type {step_type!r}"
        near = suggestion(str(step_type), allowed)
        patch = () if near is None else (Replace(path=place, value=near),)
        problems.append(
            Problem(code="WRONG_VALUE", path=place, message=message, allowed=allowed, suggestion=near, patch=patch)
        )
    elif (needed := _STEP_TYPES[step_type]) is not None and raw.get(needed) is None:
        message = f"a step of the type `{step_type}` needs `{needed}`"
        # Alone it runs as well; without the condition that somebody had in mind it does not do what was meant.
        patch = (Remove(path=place),) if step_type == "parallel" else ()
        problems.append(Problem(code="REQUIRED", path=path, message=message, allowed=(needed,), patch=patch))


def _check_kind(raw: dict[str, Json], fields: dict[str, Json], path: str, problems: list[Problem]) -> None:
    kind = fields.get("kind", "agent")
    if kind not in KINDS:
        return  # said already, as a wrong value
    own = {name: kinds for name, kinds in FIELDS_OF_KIND.items() if fields.get(name) is not None}
    meant = [other for other in KINDS if all(other in kinds for kinds in own.values())]
    for name, kinds in own.items():
        if kind not in kinds:
            written = [each for each in ((name, "roleId") if name == "roleName" else (name,)) if each in raw]
            message = f"`{name}` belongs to steps of the kind {' or '.join(kinds)}; this one is of the kind {kind}"
            patch: list[Operation] = [Remove(path=path + pointer(each)) for each in written]
            if "kind" not in fields and len(meant) == 1:
                # Who leaves the kind out has said it with the fields.
                patch = [Add(path=path + "/kind", value=meant[0])]
            problems.append(
                Problem(
                    code="FIELD_OF_OTHER_KIND",
                    path=path + pointer(written[0]),
                    message=message,
                    allowed=kinds,
                    patch=tuple(patch),
                )
            )


def _as_uuid(value: Json) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None

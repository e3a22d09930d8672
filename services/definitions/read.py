"""A typed document out of decoded JSON, in our form or the classic one, with every structural problem at once."""

from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from services.definitions.catalog import Catalog
from services.definitions.document import (
    ATTEMPTED,
    FIELDS_OF_KIND,
    KINDS,
    MAX_NESTING,
    MAX_STEPS,
    Case,
    Catch,
    Defaults,
    Document,
    Fallback,
    Kind,
    Step,
    default_of,
    inherited,
)
from services.definitions.nearby import nearby, nearest_of
from services.definitions.patch import Add, Operation, Remove, Replace
from services.definitions.structure import pointer, read_fields, read_value
from services.definitions.tree import Places
from services.definitions.yaml12 import MAX_DEPTH, is_deeper
from services.json import Json, JsonObject
from services.problem import Problem

# The classic `stepType`: what each says that another field has to say as well.
STEP_TYPES: dict[str, str | None] = {
    "sequential": None, "parallel": "parallelGroup", "conditional": "condition", "loop": None,
}  # fmt: skip
_CLASSIC = ("stepType", "roleId")
_UNSAID_KIND: Kind = "agent"
_DOCUMENT = {field.name: field for field in msgspec.structs.fields(Document)}
_STEP = {field.encode_name: field for field in msgspec.structs.fields(Step)}
# The lists of steps of a document and of a step, by their Python names, and what else holds steps.
_LISTS = {"steps": "steps", "on_failure": "onFailure", "finally_": "finally"}
_LISTS_OF_STEP = {"steps": "steps", "else_": "else", "compensate": "compensate"}
_APART = (*_LISTS_OF_STEP.values(), "cases", "onError")

_Part = TypeVar("_Part", Case, Catch)


class Read(NamedTuple):
    """A document in its sequence, where each of its steps stood in what was read, and what is wrong with that."""

    document: Document | None
    places: Places
    problems: list[Problem]


def read_document(raw: Json, catalog: Catalog) -> Read:
    """The document that `raw` spells, unless something is wrong with its structure.

    Steps without an `order` get their place in the list, and what they leave out from `defaults`; `roleId` becomes the
    role's name; `stepType` is checked and dropped.
    """
    if not isinstance(raw, dict):
        message = "a document is an object with `name` and `steps`"
        return Read(None, Places({}), [Problem(code="WRONG_VALUE", path="", message=message)])
    if (problem := _too_large(raw)) is not None:
        return Read(None, Places({}), [problem])
    reader = _Reader(catalog)
    document = reader.document(raw)
    return Read(document, Places(reader.places), reader.problems)


def _too_large(raw: JsonObject) -> Problem | None:
    """What keeps `raw` from being looked into: it has too many steps, or is nested too deep."""
    if is_deeper(raw, MAX_DEPTH):
        message = f"the document is nested more than {MAX_DEPTH} levels deep"
        return Problem(code="TOO_DEEP", path="", message=message)
    pending = [(raw.get(name), pointer(name), 0) for name in _LISTS.values()]
    count = 0
    while pending:
        steps, path, depth = pending.pop()
        if not isinstance(steps, list) or not steps:
            continue
        if depth > MAX_NESTING:
            message = f"steps are held by steps more than {MAX_NESTING} deep; move some of them out"
            return Problem(code="TOO_DEEP", path=path, message=message)
        count += len(steps)
        if count > MAX_STEPS:
            message = f"there are more than {MAX_STEPS} steps, those in other steps counted"
            return Problem(code="TOO_MANY_STEPS", path="/steps", message=message)
        for index, step in enumerate(steps):
            pending += [(held, path + pointer(index) + at, depth + 1) for at, held in _raw_lists(step)]
    return None


def _raw_lists(step: Json) -> list[tuple[str, Json]]:
    if not isinstance(step, dict):
        return []
    found = [(pointer(name), step.get(name)) for name in _LISTS_OF_STEP.values()]
    on_error = step.get("onError")
    parts = {"/cases": step.get("cases"), "/onError/catch": on_error.get("catch") if isinstance(on_error, dict) else ()}
    for path, part in parts.items():
        for index, item in enumerate(part if isinstance(part, list) else ()):
            if isinstance(item, dict):
                found.append((path + pointer(index, "steps"), item.get("steps")))
    return found


class _Reader:
    """One reading: the problems found so far, and where the steps stand that were read."""

    def __init__(self, catalog: Catalog) -> None:
        self.problems: list[Problem] = []
        self.places: dict[int, str] = {}
        self._catalog = catalog

    def document(self, raw: JsonObject) -> Document | None:
        values = read_fields(Document, raw, "", self.problems, apart=tuple(_LISTS.values()))
        if raw.get("steps") == []:
            message = "an orchestration has at least one step"
            self.problems.append(Problem(code="REQUIRED", path="/steps", message=message))
        defaults = values.get("defaults", Defaults())
        for name, written in _LISTS.items():
            if written in raw:
                may_go = not _DOCUMENT[name].required
                values[name] = self._steps(raw[written], pointer(written), inherited(defaults, written), may_go=may_go)
        return None if self.problems else Document(**values)

    def _steps(self, raw: Json, path: str, above: dict[str, Any], *, may_go: bool = True) -> tuple[Step, ...]:
        if not isinstance(raw, list):
            self.problems.append(_no_list(raw, path, "steps", may_go=may_go))
            return ()
        steps = [self._step(item, path + pointer(index), index, above) for index, item in enumerate(raw)]
        return _in_sequence([step for step in steps if step is not None])

    def _step(self, raw: Json, path: str, index: int, above: dict[str, Any]) -> Step | None:
        if not isinstance(raw, dict):
            message = "a step is an object with a `name`"
            self.problems.append(Problem(code="WRONG_VALUE", path=path, message=message))
            return None
        found = len(self.problems)
        fields = self._without_classic(raw, path)
        values = read_fields(Step, fields, path, self.problems, also=_CLASSIC, apart=_APART)
        values |= self._held(fields, path, above)
        self.problems += _of_other_kinds(raw, fields, values, path)
        if len(self.problems) > found:
            return None
        unsaid = above if values.get("kind", _UNSAID_KIND) in ATTEMPTED else {}
        step = Step(**{"order": index, **unsaid, **values})
        self.places[id(step)] = path
        return step

    def _held(self, fields: JsonObject, path: str, above: dict[str, Any]) -> dict[str, Any]:
        """The fields with other steps in them."""
        values: dict[str, Any] = {
            name: self._steps(fields[written], path + pointer(written), above)
            for name, written in _LISTS_OF_STEP.items()
            if written in fields
        }
        if "cases" in fields:
            values["cases"] = self._parts(Case, fields["cases"], path + "/cases", above)
        on_error, place = fields.get("onError"), path + "/onError"
        if isinstance(on_error, dict):
            fallback = read_fields(Fallback, on_error, place, self.problems, apart=("catch",))
            if "catch" in on_error:
                fallback["catch"] = self._parts(Catch, on_error["catch"], place + "/catch", above)
            values["on_error"] = Fallback(**fallback)
        elif "onError" in fields:
            values["on_error"] = read_value(_STEP["onError"].type, on_error, place, self.problems, may_go=True)
        return values

    def _parts(self, type_: type[_Part], raw: Json, path: str, above: dict[str, Any]) -> tuple[_Part, ...]:
        """Cases or handlers, each with its steps."""
        if not isinstance(raw, list):
            self.problems.append(_no_list(raw, path, "cases" if type_ is Case else "handlers"))
            return ()
        return tuple(
            part
            for index, item in enumerate(raw)
            if (part := self._part(type_, item, path + pointer(index), above)) is not None
        )

    def _part(self, type_: type[_Part], raw: Json, path: str, above: dict[str, Any]) -> _Part | None:
        if not isinstance(raw, dict):
            message = f"a {'case' if type_ is Case else 'handler'} is an object with `steps`"
            self.problems.append(Problem(code="WRONG_VALUE", path=path, message=message))
            return None
        found = len(self.problems)
        values = read_fields(type_, raw, path, self.problems, apart=("steps",))
        if "steps" in raw:
            values["steps"] = self._steps(raw["steps"], path + "/steps", above, may_go=False)
        return type_(**values) if len(self.problems) == found else None

    def _without_classic(self, raw: JsonObject, path: str) -> JsonObject:
        fields = {name: value for name, value in raw.items() if name not in _CLASSIC}
        if raw.get("stepType") is not None:
            self.problems += _of_step_type(raw, path)
            if raw["stepType"] == "loop":
                fields.setdefault("kind", "loop")
        if raw.get("roleId") is not None:
            self._name_role(raw["roleId"], fields, path)
        return fields

    def _name_role(self, role_id: Json, fields: JsonObject, path: str) -> None:
        """Put the name of the role into `fields`; a `roleName` that stands there already has to be the same."""
        id = _as_uuid(role_id)
        name = None if id is None else self._names_of_roles.get(id)
        said = fields.get("roleName")
        if name is None:
            message = f"there is no role with the id {role_id!r}"
            # A role that was named as well needs no id.
            patch = (Remove(path=path + "/roleId"),) if said in self._catalog.roles else ()
            known = nearby(str(role_id), self._catalog.roles)
            place = path + "/roleId"
            self.problems.append(Problem(code="UNKNOWN_ROLE", path=place, message=message, allowed=known, patch=patch))
        elif said is None:
            fields["roleName"] = name
        elif said != name:
            place = path + "/roleName"
            message = f"`roleId` is the role {name!r}, `roleName` says {said!r}; one of them is enough"
            remove = (Remove(path=place),)
            self.problems.append(
                Problem(code="ROLE_CONFLICT", path=place, message=message, allowed=(name,), patch=remove)
            )

    @cached_property
    def _names_of_roles(self) -> dict[UUID, str]:
        return {id: name for name, id in self._catalog.roles.items()}


def _in_sequence(steps: list[Step]) -> tuple[Step, ...]:
    """The steps in their order.

    Those of one order are the members of one group, and their names decide. Where they wrongly are not, the place in
    the list does, and members stay together.
    """
    first: dict[tuple[int, str | int], int] = {}
    for index, step in enumerate(steps):
        first.setdefault((step.order, step.parallel_group or index), index)

    def key(entry: tuple[int, Step]) -> tuple[int, int, str]:
        index, step = entry
        return step.order, first[step.order, step.parallel_group or index], step.name

    return tuple(step for _, step in sorted(enumerate(steps), key=key))


def _no_list(raw: Json, path: str, of: str, *, may_go: bool = True) -> Problem:
    patch: tuple[Operation, ...] = ()
    if isinstance(raw, dict) and ("name" in raw or "steps" in raw):
        patch = (Replace(path=path, value=[raw]),)
    elif raw is None and may_go:
        patch = (Remove(path=path),)
    message = f"`{path.rpartition('/')[2]}` is a list of {of}"
    return Problem(code="WRONG_VALUE", path=path, message=message, patch=patch)


def _of_step_type(raw: JsonObject, path: str) -> list[Problem]:
    step_type, place = raw["stepType"], path + "/stepType"
    allowed = tuple(STEP_TYPES)
    if not isinstance(step_type, str) or step_type not in STEP_TYPES:
        message = f"there is no step type {step_type!r}"
        near = nearest_of(str(step_type), allowed)
        patch = () if near is None else (Replace(path=place, value=near),)
        return [Problem(code="WRONG_VALUE", path=place, message=message, allowed=allowed, suggestion=near, patch=patch)]
    if step_type == "loop" and raw.get("kind", "loop") != "loop":
        message = f"the step type `loop` is the kind loop; this step is of the kind {raw['kind']}"
        return [Problem(code="WRONG_VALUE", path=place, message=message, patch=(Remove(path=place),))]
    needed = STEP_TYPES[step_type]
    if needed is None or raw.get(needed) is not None:
        return []
    message = f"a step of the type `{step_type}` needs `{needed}`"
    # Alone it runs as well; without the condition that somebody had in mind it does not do what was meant.
    patch = (Remove(path=place),) if step_type == "parallel" else ()
    return [Problem(code="REQUIRED", path=path, message=message, allowed=(needed,), patch=patch)]


def _of_other_kinds(raw: JsonObject, fields: JsonObject, values: dict[str, Any], path: str) -> list[Problem]:
    """A problem for each field that says something which steps of this kind have not."""
    kind = fields.get("kind", _UNSAID_KIND)
    if kind not in KINDS:
        return []  # said already, as a wrong value
    own = {name: kinds for name, kinds in FIELDS_OF_KIND.items() if name in fields and _is_said(name, fields, values)}
    meant = [other for other in KINDS if all(other in kinds for kinds in own.values())]
    problems: list[Problem] = []
    for name, kinds in own.items():
        if kind not in kinds:
            written = [
                each for each in ((name, "roleId") if name == "roleName" else (name,)) if raw.get(each) is not None
            ]
            patch: list[Operation] = [Remove(path=path + pointer(each)) for each in written]
            if "kind" not in fields and len(meant) == 1:
                # Who leaves the kind out has said it with the fields.
                patch = [Add(path=path + "/kind", value=meant[0])]
            problems.append(_of_other_kind(name, kind, kinds, path + pointer(written[0]), tuple(patch)))
    return problems


def _of_other_kind(
    field: str, kind: Json, kinds: tuple[Kind, ...], place: str, patch: tuple[Operation, ...]
) -> Problem:
    message = f"`{field}` belongs to steps of the kind {' or '.join(kinds)}; this one is of the kind {kind}"
    return Problem(code="FIELD_OF_OTHER_KIND", path=place, message=message, allowed=kinds, patch=patch)


def _is_said(name: str, fields: JsonObject, values: dict[str, Any]) -> bool:
    """Whether a field has another value than the default, which is the same as leaving it out."""
    field = _STEP[name]
    if field.name not in values:
        return fields[name] is not None  # one that could not be read
    return values[field.name] != default_of(field)


def _as_uuid(value: Json) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None

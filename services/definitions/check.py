"""Everything that is wrong with a document, all at once, before anything is saved or run."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.definitions.bound import max_step_runs
from services.definitions.catalog import Catalog
from services.definitions.codes import Code
from services.definitions.document import MAX_FAN_OUT, MAX_STEP_RUNS, MAX_STEPS, Document, Step, stages
from services.definitions.patch import Add, Operation, Replace
from services.definitions.read import read_document
from services.definitions.references import check_references
from services.definitions.schemas import check_schema
from services.definitions.sequence import check_names, check_order
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem


@dataclass(frozen=True, slots=True)
class Checked:
    """A document and its problems; it may be saved when there are none."""

    document: Document | None
    problems: tuple[Problem, ...]


def check(raw: Json, catalog: Catalog) -> Checked:
    """Read `raw` and find every problem. Meaning is looked at only when the structure is right."""
    document, places, problems = read_document(raw, catalog)
    if document is not None:
        problems = [
            *check_names(document, places),
            *check_order(document, places, raw),
            *_limits(document),
            *_schemas(document, places),
            *_roles_and_tools(document, places, catalog),
            *check_references(document, places),
        ]
    return Checked(document, tuple(problems))


def _limits(document: Document) -> list[Problem]:
    problems: list[Problem] = []
    if len(document.steps) > MAX_STEPS:
        message = f"there are {len(document.steps)} steps; up to {MAX_STEPS} are allowed"
        problems.append(Problem(code="TOO_MANY_STEPS", path="/steps", message=message))
    for stage in stages(document.steps):
        if len(stage) > MAX_FAN_OUT:
            message = (
                f"the group {stage[0].parallel_group!r} has {len(stage)} members; up to {MAX_FAN_OUT} run together"
            )
            problems.append(Problem(code="FAN_OUT_TOO_LARGE", path="/steps", message=message))
    if (runs := max_step_runs(document)) > MAX_STEP_RUNS:
        message = f"with all retries this could run {runs:,} steps; up to {MAX_STEP_RUNS:,} are allowed"
        problems.append(Problem(code="BOUND_TOO_LARGE", path="/steps", message=message))
    return problems


def _schemas(document: Document, places: Sequence[str]) -> list[Problem]:
    schemas = [("/input", document.input), ("/outputSchema", document.output_schema)]
    schemas += [(places[place] + "/outputSchema", step.output_schema) for place, step in enumerate(document.steps)]
    return [problem for path, schema in schemas if schema is not None for problem in check_schema(schema, path)]


def _roles_and_tools(document: Document, places: Sequence[str], catalog: Catalog) -> list[Problem]:
    problems: list[Problem] = []
    for place, step in enumerate(document.steps):
        path = places[place]
        match step.kind:
            case "agent" | "llm":
                problems += _named("UNKNOWN_ROLE", "roleName", step.role_name, tuple(catalog.roles), path, step)
            case "tool":
                problems += _named("UNKNOWN_TOOL", "tool", step.tool, tuple(sorted(catalog.tools)), path, step)
            case "transform":
                if step.input_mapping is None:
                    problems.append(
                        Problem(
                            code="REQUIRED",
                            path=path,
                            message="a transform gives back its resolved `inputMapping`, so it needs one",
                            allowed=("inputMapping",),
                            patch=(Add(path=path + "/inputMapping", value={}),),
                        )
                    )
    return problems


def _named(code: Code, field: str, name: str | None, known: tuple[str, ...], path: str, step: Step) -> list[Problem]:
    place = f"{path}/{field}"
    patch: tuple[Operation, ...] = ()
    if name is None:
        message = f"a step of the kind {step.kind} needs `{field}`"
        if len(known) == 1:
            patch = (Add(path=place, value=known[0]),)  # there is nothing else it could be
        return [Problem(code="REQUIRED", path=path, message=message, allowed=(field,), patch=patch)]
    if name in known:
        return []
    message = f"there is no {'role' if field == 'roleName' else 'tool'} {name!r}"
    near = suggestion(name, known)
    if field == "tool" and name.startswith("system."):
        message = f"{name!r} is offered to roles tagged `meta` only: let an agent of such a role call it"
    elif near in known:
        patch = (Replace(path=place, value=near),)
    return [Problem(code=code, path=place, message=message, allowed=known, suggestion=near, patch=patch)]

"""Everything that is wrong with a document, all at once, before anything is saved or run."""

from dataclasses import dataclass

from services.definitions.bound import max_step_runs
from services.definitions.catalog import Catalog
from services.definitions.document import MAX_FAN_OUT, MAX_STEP_RUNS, MAX_STEPS, RESERVED_NAMES, Document, Step, stages
from services.definitions.read import read_document
from services.definitions.references import check_references
from services.definitions.structure import pointer
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem
from services.schema import problems_of_schema


@dataclass(frozen=True, slots=True)
class Checked:
    """A document and its problems; it may be saved when there are none."""

    document: Document | None
    problems: tuple[Problem, ...]


def check(raw: Json, catalog: Catalog) -> Checked:
    """Read `raw` and find every problem. Meaning is looked at only when the structure is right."""
    document, problems = read_document(raw, catalog)
    if document is not None:
        places = _places(raw)
        problems = [
            *_names(document, places),
            *_order(document, places),
            *_limits(document),
            *_schemas(document, places),
            *_roles_and_tools(document, places, catalog),
            *check_references(document, places),
        ]
    return Checked(document, tuple(problems))


def _places(raw: Json) -> dict[int, str]:
    """Where each step of the sorted document stands in `raw`: steps are told apart by identity of (order, name)."""
    steps = raw["steps"] if isinstance(raw, dict) and isinstance(raw["steps"], list) else []
    keyed = [
        (step.get("order", index), step["name"], index) for index, step in enumerate(steps) if isinstance(step, dict)
    ]
    return {
        place: pointer("steps", index) for place, (_, _, index) in enumerate(sorted(keyed, key=lambda k: (k[0], k[1])))
    }


def _names(document: Document, places: dict[int, str]) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for place, step in enumerate(document.steps):
        path = places[place] + "/name"
        if step.name in RESERVED_NAMES:
            message = f"{step.name!r} is a root of the data; a step needs another name"
            problems.append(
                Problem(code="RESERVED_NAME", path=path, message=message, suggestion=step.name.capitalize())
            )
        if step.name in seen:
            message = f"the name {step.name!r} is taken by {seen[step.name]}; names are context keys, so each is unique"
            problems.append(Problem(code="DUPLICATE_NAME", path=path, message=message, suggestion=f"{step.name} 2"))
        seen.setdefault(step.name, places[place])
    return problems


def _order(document: Document, places: dict[int, str]) -> list[Problem]:
    problems: list[Problem] = []
    finished: set[str] = set()
    previous: Step | None = None
    for place, step in enumerate(document.steps):
        group, path = step.parallel_group, places[place]
        same_group = previous is not None and group is not None and previous.parallel_group == group
        if previous is not None and previous.order == step.order and not same_group:
            message = (
                f"{previous.name!r} and {step.name!r} both have the order {step.order}; only members of one group may"
            )
            problems.append(Problem(code="ORDER_CONFLICT", path=path + "/order", message=message))
        if group is not None and not same_group and group in finished:
            message = f"the members of the group {group!r} must follow each other; other steps stand between them"
            problems.append(Problem(code="GROUP_NOT_CONTIGUOUS", path=path + "/parallelGroup", message=message))
        if previous is not None and previous.parallel_group is not None and not same_group:
            finished.add(previous.parallel_group)
        previous = step
    return problems


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


def _schemas(document: Document, places: dict[int, str]) -> list[Problem]:
    schemas = [("/input", document.input), ("/outputSchema", document.output_schema)]
    schemas += [(places[place] + "/outputSchema", step.output_schema) for place, step in enumerate(document.steps)]
    return [problem for path, schema in schemas if schema is not None for problem in problems_of_schema(schema, path)]


def _roles_and_tools(document: Document, places: dict[int, str], catalog: Catalog) -> list[Problem]:
    problems: list[Problem] = []
    for place, step in enumerate(document.steps):
        path = places[place]
        match step.kind:
            case "agent" | "llm":
                problems += _named("ROLE", "roleName", step.role_name, tuple(catalog.roles), path, step)
            case "tool":
                problems += _named("TOOL", "tool", step.tool, tuple(sorted(catalog.tools)), path, step)
            case "transform":
                if step.input_mapping is None:
                    message = "a transform gives back its resolved `inputMapping`, so it needs one"
                    problems.append(Problem(code="REQUIRED", path=path, message=message, allowed=("inputMapping",)))
    return problems


def _named(what: str, field: str, name: str | None, known: tuple[str, ...], path: str, step: Step) -> list[Problem]:
    if name is None:
        message = f"a step of the kind {step.kind} needs `{field}`"
        return [Problem(code="REQUIRED", path=path, message=message, allowed=(field,))]
    if name in known:
        return []
    message = f"there is no {what.lower()} {name!r}"
    if what == "TOOL" and name.startswith("system."):
        message = f"{name!r} is offered to roles tagged `meta` only: let an agent of such a role call it"
    near = suggestion(name, known)
    return [Problem(code=f"UNKNOWN_{what}", path=f"{path}/{field}", message=message, allowed=known, suggestion=near)]

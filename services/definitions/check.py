"""Everything that is wrong with a document, all at once, before anything is saved or run."""

from dataclasses import dataclass

from msgspec.structs import replace

from services.definitions.bound import max_step_runs
from services.definitions.catalog import Catalog
from services.definitions.document import MAX_STEP_RUNS, Document, all_steps
from services.definitions.groups import check_groups
from services.definitions.kinds import check_kinds
from services.definitions.known import check_known
from services.definitions.patch import Add, Replace
from services.definitions.read import read_document
from services.definitions.references import check_references
from services.definitions.schemas import check_schema
from services.definitions.sequence import check_names, check_order
from services.definitions.tree import Places
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
            *check_groups(document, places),
            *_bound(document, catalog),
            *_schemas(document, places),
            *_with_the_only_role(check_kinds(document, places), catalog),
            *check_known(document, places, catalog),
            *check_references(document, places),
        ]
    return Checked(document, tuple(problems))


def _bound(document: Document, catalog: Catalog) -> list[Problem]:
    runs, own = max_step_runs(document, catalog.orchestrations), document.limits.max_step_runs
    said = f"with all retries, iterations and items this could run {runs:,} steps"
    if runs > MAX_STEP_RUNS:
        message = f"{said}; up to {MAX_STEP_RUNS:,} are allowed"
        return [Problem(code="BOUND_TOO_LARGE", path="/steps", message=message)]
    if own is not None and runs > own:
        place = "/limits/maxStepRuns"
        message = f"{said}; its own limit is {own:,}"
        return [Problem(code="BOUND_TOO_LARGE", path=place, message=message, patch=(Replace(path=place, value=runs),))]
    return []


def _schemas(document: Document, places: Places) -> list[Problem]:
    schemas = [("/input", document.input), ("/outputSchema", document.output_schema)]
    for step in all_steps(document):
        schemas += [(places[step] + "/outputSchema", step.output_schema), (places[step] + "/form", step.form)]
    return [problem for path, schema in schemas if schema is not None for problem in check_schema(schema, path)]


def _with_the_only_role(problems: list[Problem], catalog: Catalog) -> list[Problem]:
    """The problems; a step that lacks its role is given the only one there is, for it could be no other."""
    if len(catalog.roles) != 1:
        return problems
    (role,) = catalog.roles
    return [
        replace(problem, patch=(Add(path=problem.path + "/roleName", value=role),))
        if problem.code == "REQUIRED" and problem.allowed == ("roleName",)
        else problem
        for problem in problems
    ]

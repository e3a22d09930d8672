"""Bundles: roles and orchestrations in one file, read, checked and loaded together."""

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from services import catalog, connections, orchestrations, roles
from services.caller import Caller
from services.definitions import yaml12
from services.definitions.bound import max_step_runs
from services.definitions.calls import called, name_in
from services.definitions.catalog import Callee, Catalog
from services.definitions.check import Checked
from services.definitions.check import check as check_document
from services.definitions.digest import canonical, digest
from services.definitions.document import Document, Name, Text
from services.definitions.language import file_schema
from services.definitions.patch import below
from services.definitions.read import read_document
from services.definitions.structure import pointer, read_fields
from services.errors import Invalid, NotFound
from services.json import Json, JsonObject
from services.models.selection import ModelConstraints
from services.orchestrations import Orchestration
from services.problem import Problem
from services.roles import Parameters, Role, RoleChanges, ToolName
from services.schema import problems_of_schema
from services.tools import registry

Prompt = Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]


class BundleRole(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """All of a role's content: what a file leaves out has its default."""

    name: Name
    base_prompt: Prompt
    description: Text = ""
    tools: tuple[ToolName, ...] = ()
    needs_tools: bool = False
    model: ModelConstraints = ModelConstraints()
    parameters: Parameters = Parameters()
    output_schema: Json = None


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds, each thing by its place in it, a JSON Pointer.

    `problems` are those of the file's structure; a bundle that has any can be checked further, but not loaded.
    `role_names` are the names of all its roles, also of those that could not be read.
    """

    roles: dict[str, BundleRole] = {}
    orchestrations: dict[str, JsonObject] = {}
    role_names: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle's roles and orchestrations are now, in the order of the file."""

    roles: tuple[Role, ...]
    orchestrations: tuple[Orchestration, ...]


def read(text: str | bytes) -> Bundle:
    """The bundle that `text` spells in YAML or JSON; a document alone is a bundle of one orchestration.

    >>> [problem.suggestion for problem in read("rolecall: 1\\nrolls: []").problems]
    ['roles']

    Raises:
        Invalid: `text` is no YAML and no JSON.
    """
    raw = yaml12.read(text)
    if not isinstance(raw, dict):
        message = "a bundle is an object with `roles` and `orchestrations`, a document one with `name` and `steps`"
        return Bundle(problems=(Problem(code="WRONG_VALUE", path="", message=message),))
    if "steps" in raw:
        return Bundle(orchestrations={"": raw})
    problems: list[Problem] = []
    values = read_fields(_File, raw, "", problems)
    listed = _by_place("roles", values)
    documents = _by_place("orchestrations", values)
    read_roles = {place: _read_role(role, place, problems) for place, role in listed.items()}
    _refuse_namesakes(listed, problems)
    _refuse_namesakes(documents, problems)
    return Bundle(
        roles={place: role for place, role in read_roles.items() if role is not None},
        orchestrations=documents,
        role_names=frozenset(name for role in listed.values() if (name := _name(role)) is not None),
        problems=tuple(problems),
    )


def schema(caller: Caller) -> JsonObject:
    """The JSON Schema of what `read` reads, for editors."""
    caller.require("orchestrations.read")
    return file_schema(BundleRole)


async def check(caller: Caller, bundle: Bundle) -> list[Problem]:
    """Every problem of a bundle, each with its place in the file; documents may name the bundle's own roles."""
    caller.require("orchestrations.read")
    in_roles = [found for place, role in bundle.roles.items() for found in _problems_of_role(place, role)]
    checked = await _checked(bundle)
    in_documents = [_under(place, problem) for place, found in checked.items() for problem in found.problems]
    return [*bundle.problems, *in_roles, *in_documents]


async def load(caller: Caller, bundle: Bundle, *, breaking: bool = False) -> Loaded:
    """Create or update everything in the bundle by name, all of it or nothing.

    What is the same already is left alone, so loading a file twice makes no new version.

    Raises:
        Invalid: the bundle has problems; names all of them. Or one of its documents would break those who rely on the
            version that is active, and `breaking` does not say that it may.
    """
    if problems := await check(caller, bundle):
        raise Invalid("the bundle has problems", problems)
    checked = await _checked(bundle)
    loaded_roles: list[Role] = []
    documents = {found.document.name: found.document for found in checked.values() if found.document is not None}
    loaded: dict[str, Orchestration] = {}
    async with connections.database().transaction():
        for role in bundle.roles.values():
            loaded_roles.append(await _load_role(caller, role))
        for name in _callees_first(documents):
            loaded[name] = await _load_document(caller, documents[name], breaking=breaking)
    return Loaded(roles=tuple(loaded_roles), orchestrations=tuple(loaded[name] for name in documents))


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of a bundle, before they are looked into."""

    rolecall: Literal[1] = 1
    roles: list[Json] = []
    orchestrations: list[dict[str, Json]] = []


def _by_place(member: str, values: dict[str, Any]) -> dict[str, Any]:
    return {pointer(member, index): item for index, item in enumerate(values.get(member, []))}


def _name(item: Json) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _read_role(raw: Json, path: str, problems: list[Problem]) -> BundleRole | None:
    if not isinstance(raw, dict):
        message = "a role is an object with `name` and `basePrompt`"
        problems.append(Problem(code="WRONG_VALUE", path=path, message=message))
        return None
    found = len(problems)
    values = read_fields(BundleRole, raw, path, problems)
    return BundleRole(**values) if len(problems) == found else None


def _refuse_namesakes(items: dict[str, Json], problems: list[Problem]) -> None:
    first: dict[str, str] = {}
    for place, item in items.items():
        name = _name(item)
        if name is not None and first.setdefault(name, place) != place:
            message = f"the name {name[:100]!r} is taken by {first[name]}"
            problems.append(Problem(code="DUPLICATE_NAME", path=place + "/name", message=message))


def _problems_of_role(path: str, role: BundleRole) -> list[Problem]:
    in_schema = [] if role.output_schema is None else problems_of_schema(role.output_schema, path + "/outputSchema")
    return [*registry.problems_of_names(role.tools, path + "/tools"), *in_schema]


async def _checked(bundle: Bundle) -> dict[str, Checked]:
    known = await catalog.current()
    # Those that are still to come have no id yet; a check asks only whether the name is known.
    coming = dict.fromkeys(bundle.role_names, UUID(int=0))
    known = replace(known, roles={**coming, **known.roles})
    documents = [read_document(raw, known).document for raw in bundle.orchestrations.values()]
    known = _with_coming(known, {document.name: document for document in documents if document is not None})
    return {place: check_document(document, known) for place, document in bundle.orchestrations.items()}


def _with_coming(known: Catalog, documents: dict[str, Document]) -> Catalog:
    """The catalog as it will be once the documents are there."""
    callees = dict(known.orchestrations)
    for name in _callees_first(documents):
        document = documents[name]
        callees[name] = Callee(calls=called(document), max_step_runs=max_step_runs(document, callees))
    return replace(known, orchestrations=callees)


def _callees_first(documents: dict[str, Document]) -> list[str]:
    """The names of the documents, each after those that it calls; as they stand when they call each other."""
    calls = {name: {name_in(call) for call in called(document)} for name, document in documents.items()}
    try:
        return [name for name in TopologicalSorter(calls).static_order() if name in documents]
    except CycleError:
        return list(documents)


def _under(place: str, problem: Problem) -> Problem:
    return msgspec.structs.replace(problem, path=place + problem.path, patch=below(place, problem.patch))


async def _load_role(caller: Caller, wanted: BundleRole) -> Role:
    changes = RoleChanges(**msgspec.structs.asdict(wanted))
    try:
        present = await roles.get(caller, role=wanted.name)
    except NotFound:
        return await roles.create(caller, name=wanted.name, base_prompt=wanted.base_prompt, changes=changes)
    if all(getattr(present, field) == getattr(wanted, field) for field in wanted.__struct_fields__):
        return present
    return await roles.update(caller, role=wanted.name, changes=changes)


async def _load_document(caller: Caller, wanted: Document, *, breaking: bool) -> Orchestration:
    document: JsonObject = msgspec.json.decode(canonical(wanted))
    try:
        present = await orchestrations.get(caller, orchestration=wanted.name)
    except NotFound:
        return await orchestrations.create(caller, document=document)
    if present.digest == digest(wanted):
        return present
    return await orchestrations.update(caller, orchestration=wanted.name, changes=document, breaking=breaking)

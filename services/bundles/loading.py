"""Bundles into the database: checked as a whole, then created and updated by name, all of it or nothing."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from uuid import UUID

import msgspec

from db import tables
from services import catalog, connections, idempotency, orchestrations, roles
from services.bundles.missing import absent
from services.bundles.reading import read
from services.bundles.records import Bundle, BundleRole, Imported, Item, Loaded, Missing, Outcome
from services.caller import Caller
from services.definitions.bound import max_step_runs
from services.definitions.calls import called, name_in
from services.definitions.catalog import Callee, Catalog
from services.definitions.check import Checked
from services.definitions.check import check as check_document
from services.definitions.diff import Change, changed_fields, diff
from services.definitions.digest import canonical, digest
from services.definitions.document import Document
from services.definitions.language import file_schema
from services.definitions.patch import below
from services.definitions.read import read_document
from services.errors import Conflict, Invalid, NotFound
from services.expiry import is_person
from services.idempotency import IdempotencyKey
from services.json import JsonObject
from services.orchestrations import Orchestration
from services.problem import Problem
from services.roles import Role, RoleChanges
from services.schema import problems_of_schema
from services.tools import registry

# Two loads at once would both find missing what they both create.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('bundle.load'))"


def schema(caller: Caller) -> JsonObject:
    """The JSON Schema of what `read` reads, for editors."""
    caller.require("orchestrations.read")
    return file_schema(BundleRole)


async def check(caller: Caller, bundle: Bundle) -> list[Problem]:
    """Every problem of a bundle, each with its place in the file; documents may name the bundle's own roles."""
    caller.require("orchestrations.read")
    return _problems(bundle, await _checked(bundle))


async def load(
    caller: Caller, bundle: Bundle, *, breaking: bool = False, dry_run: bool = False, missing: Missing | None = None
) -> Loaded:
    """Create or update everything in the bundle by name, all of it or nothing.

    What is the same already is left alone, so loading a file twice makes no new version. What is in the bundle is
    active then. A `dry_run` does all of it and takes it back. With `missing`, what is active and not in the bundle is
    told as well, and is kept or switched off.

    Raises:
        Invalid: the bundle has problems; names all of them. Or one of its documents would break those who rely on the
            version that is active, and `breaking` does not say that it may.
    """
    caller.require("orchestrations.read")
    async with _all_or_nothing(dry_run=dry_run):
        checked = await _checked(bundle)
        if problems := _problems(bundle, checked):
            raise Invalid("the bundle has problems", problems)
        documents = {found.document.name: found.document for found in checked.values() if found.document is not None}
        made_roles = {role.name: await _load_role(caller, role) for role in bundle.roles.values()}
        made: dict[str, tuple[Orchestration, Item]] = {}
        for name in _callees_first(documents):
            made[name] = await _load_document(caller, documents[name], breaking=breaking)
        items = [item for _, item in made_roles.values()] + [made[name][1] for name in documents]
        if missing is not None:
            items += await absent(caller, made_roles, documents, switch_off=missing == "switch_off")
    return Loaded(
        roles=tuple(role for role, _ in made_roles.values()),
        orchestrations=tuple(made[name][0] for name in documents),
        items=tuple(items),
    )


async def import_(
    caller: Caller,
    *,
    text: str,
    breaking: bool = False,
    dry_run: bool = False,
    idempotency_key: IdempotencyKey | None = None,
) -> Imported:
    """Load the bundle that `text` spells in YAML or JSON; with `dry_run`, only say what that would do.

    Raises:
        Invalid: as `read` and `load`.
        Forbidden: the bundle creates or changes roles or orchestrations that the caller may not.
        Conflict: the key was used for another request.
    """
    caller.require("orchestrations.write")

    async def make() -> Imported:
        loaded = await load(caller, read(text), breaking=breaking, dry_run=dry_run)
        return Imported(dry_run=dry_run, items=loaded.items)

    request = (text, breaking, dry_run)
    return await idempotency.once(caller, idempotency_key, "orchestration.import", request, Imported, make)


@asynccontextmanager
async def _all_or_nothing(*, dry_run: bool) -> AsyncIterator[None]:
    async with connections.database().transaction() as transaction:
        await tables.Orchestration.raw(_LOCK)
        if not dry_run:
            yield
            return
        start = await transaction.savepoint()
        yield
        # What is only looked at when a transaction ends would never be.
        await tables.Orchestration.raw("SET CONSTRAINTS ALL IMMEDIATE")
        await start.rollback_to()


def _problems(bundle: Bundle, checked: dict[str, Checked]) -> list[Problem]:
    in_roles = [found for place, role in bundle.roles.items() for found in _problems_of_role(place, role)]
    in_documents = [_under(place, problem) for place, found in checked.items() for problem in found.problems]
    return [*bundle.problems, *in_roles, *in_documents]


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


async def _load_role(caller: Caller, wanted: BundleRole) -> tuple[Role, Item]:
    content = msgspec.structs.asdict(wanted)
    try:
        present = await roles.get(caller, role=wanted.name)
    except NotFound:
        changes = RoleChanges(**content)
        made = await roles.create(caller, name=wanted.name, base_prompt=wanted.base_prompt, changes=changes)
        return made, _item(made, "created")
    before = BundleRole(**{name: getattr(present, name) for name in content})
    changed = (*changed_fields(before, wanted), *_put_to_use(caller, present))
    if not changed:
        return present, _item(present, "unchanged")
    if present.expires_at is not None and is_person(caller):
        await roles.promote(caller, role=wanted.name)
    made = await roles.update(caller, role=wanted.name, changes=RoleChanges(**content, is_active=True))
    return made, _item(made, "updated", changed)


async def _load_document(caller: Caller, wanted: Document, *, breaking: bool) -> tuple[Orchestration, Item]:
    name, document = wanted.name, _whole(wanted)
    try:
        present = await orchestrations.get(caller, orchestration=name)
    except NotFound:
        made = await orchestrations.create(caller, document=document)
        return made, _item(made, "created")
    except Conflict:  # nothing of it is active, or nobody can read what is
        draft = await orchestrations.draft(caller, orchestration=name, document=document)
        await orchestrations.publish(caller, orchestration=name, number=draft.number, breaking=breaking)
        made = await orchestrations.update(caller, orchestration=name, is_active=True)
        return made, _item(made, "updated")
    is_same = present.digest == digest(wanted)
    changed = (*diff(present.document, wanted), *_put_to_use(caller, present))
    if not changed:
        return present, _item(present, "unchanged")
    if is_same and present.expires_at is not None and present.version is not None and is_person(caller):
        await orchestrations.promote(caller, orchestration=name, number=present.version)
    made = await orchestrations.update(
        caller, orchestration=name, changes=None if is_same else document, is_active=True, breaking=breaking
    )
    return made, _item(made, "updated", changed)


def _put_to_use(caller: Caller, present: Role | Orchestration) -> Iterator[Change]:
    """What a load changes about the use of what is there: it is active then, and kept when a person loads it."""
    if not present.is_active:
        yield Change(what="changed", field="isActive", before=False, after=True)
    if present.expires_at is not None and is_person(caller):
        yield Change(what="changed", field="expiresAt", before=present.expires_at.isoformat())


def _whole(document: Document) -> JsonObject:
    """The document with every field, so that an update leaves none as it was."""
    unsaid = msgspec.structs.replace(document, steps=(), on_failure=(), finally_=())
    return {**msgspec.json.decode(msgspec.json.encode(unsaid)), **msgspec.json.decode(canonical(document))}


def _item(made: Role | Orchestration, outcome: Outcome, changes: tuple[Change, ...] = ()) -> Item:
    noun = "role" if isinstance(made, Role) else "orchestration"
    return Item(noun=noun, name=made.name, outcome=outcome, version=made.version, changes=changes)

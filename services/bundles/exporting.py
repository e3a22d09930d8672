"""The database's roles and orchestrations as a bundle, and as a text that is imported elsewhere."""

from collections.abc import Iterable, Sequence

from services import connections, orchestrations, roles
from services.bundles.records import BundleRole, Contents, Exported, Format
from services.bundles.writing import text_of
from services.caller import Caller
from services.definitions.calls import called, name_in
from services.definitions.document import Document, all_steps
from services.definitions.yaml12 import MAX_BYTES, MAX_JSON_BYTES
from services.errors import Invalid, NotFound
from services.orchestrations.standing import active_documents, documents_of
from services.roles import Role

_MAX_BYTES: dict[Format, int] = {"yaml": MAX_BYTES, "json": MAX_JSON_BYTES}


async def everything(caller: Caller) -> Contents:
    """All that is active and does not expire, and what that needs."""
    caller.require("orchestrations.read")
    caller.require("roles.read")
    async with connections.database().snapshot():
        documents, missing = await _with_called(await _all_documents())
        found = await _roles(caller, documents.values(), (), is_all=True, with_roles=True)
        return Contents(found, documents, missing)


async def standing(caller: Caller, name: str, number: int | None = None) -> Contents:
    """An orchestration with what it calls and the roles of all these, as they are; of a version, its document alone.

    Raises:
        NotFound: there is no such orchestration or version.
        Conflict: no version of it is active.
    """
    if number is not None:
        document = (await orchestrations.version(caller, orchestration=name, number=number)).document
        return Contents(None, {document.name: document})
    caller.require("orchestrations.read")
    caller.require("roles.read")
    async with connections.database().snapshot():
        documents, missing = await _with_called(await _named(caller, (name,), None))
        found = await _roles(caller, documents.values(), (), is_all=False, with_roles=True)
        return Contents(found, documents, missing)


async def export(
    caller: Caller,
    *,
    names: Sequence[str] = (),
    tags: Sequence[str] = (),
    role_names: Sequence[str] = (),
    with_roles: bool = True,
    version: int | None = None,
    format: Format = "yaml",
) -> Exported:
    """The orchestrations of these names, those that have every one of `tags`, and the roles of these names; without
    any of them, all that is active and does not expire. What they call and, unless told otherwise, the roles of their
    steps come with them.

    With `version` it is that version of the one orchestration that is named, whatever its status.

    Raises:
        NotFound: there is no such orchestration, role or version.
        Conflict: no version of an orchestration that is named is active.
        Invalid: a version without one name; or the text would be longer than what is imported.
    """
    caller.require("orchestrations.read")
    caller.require("roles.read")
    if version is not None and len(names) != 1:
        raise Invalid("a version is one of one orchestration; name that, and no other")
    is_all = not (names or tags or role_names)
    async with connections.database().snapshot():
        documents = await _named(caller, names, version)
        if is_all or tags:
            documents |= {name: it for name, it in (await _all_documents(tags)).items() if name not in documents}
        documents, missing = await _with_called(documents)
        found = await _roles(caller, documents.values(), role_names, is_all=is_all, with_roles=with_roles)
    text = text_of(found.values(), documents.values(), format)
    _refuse_long(text, format)
    return Exported(text=text, roles=tuple(found), orchestrations=tuple(documents), missing=missing)


async def _named(caller: Caller, names: Sequence[str], version: int | None) -> dict[str, Document]:
    if version is not None:
        document = (await orchestrations.version(caller, orchestration=names[0], number=version)).document
        return {document.name: document}
    found = {standing.name: standing.document for standing in await documents_of(names)}
    for name in names:
        if name not in found:
            await orchestrations.get(caller, orchestration=name)  # says whether it or its active version is not there
            raise NotFound("orchestration", name, hint="name it by its name")
    return found


async def _all_documents(tags: Sequence[str] = ()) -> dict[str, Document]:
    return {standing.name: standing.document for standing in await active_documents(tags)}


async def _with_called(documents: dict[str, Document]) -> tuple[dict[str, Document], tuple[str, ...]]:
    """The documents and all that they call, also through others, by name; and what of that has no active version."""
    found, missing = dict(documents), set[str]()
    while wanted := {name_in(call) for it in found.values() for call in called(it)} - found.keys() - missing:
        found |= {standing.name: standing.document for standing in await documents_of(wanted)}
        missing |= wanted - found.keys()
    return dict(sorted(found.items())), tuple(sorted(missing))


async def _roles(
    caller: Caller, documents: Iterable[Document], names: Sequence[str], *, is_all: bool, with_roles: bool
) -> dict[str, BundleRole]:
    wanted = set(names)
    if with_roles:
        wanted |= {step.role_name for it in documents for step in all_steps(it) if step.role_name is not None}
    found = [*(await roles.active() if is_all and with_roles else ()), *await roles.named(wanted)]
    contents = _contents_of(found)
    for name in names:
        if name not in contents:
            await roles.get(caller, role=name)  # says that there is none
            raise NotFound("role", name, hint="name it by its name")
    return contents


def _contents_of(found: Iterable[Role]) -> dict[str, BundleRole]:
    fields = BundleRole.__struct_fields__
    by_name = {role.name: BundleRole(**{name: getattr(role, name) for name in fields}) for role in found}
    return dict(sorted(by_name.items()))


def _refuse_long(text: str, format: Format) -> None:
    length, most = len(text.encode()), _MAX_BYTES[format]
    if length > most:
        instead = "" if format == "json" else f", or take it as JSON, of which {MAX_JSON_BYTES:,} are"
        message = f"this would be {length:,} bytes, and up to {most:,} are imported; name fewer"
        raise Invalid(message + instead)

"""orchestration.*: workflows by name."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.procedures.parameters import Author, Breaking, Cursor, ExpectedVersion, Forward, Key, Number, Search
from api.rpc import Example, mutation, query
from services import bundles, orchestrations
from services.definitions.diff import Change
from services.definitions.document import Name
from services.json import Json, JsonObject
from services.listing import Instant, Limit, OrchestrationReference
from services.orchestrations import (
    Orchestration,
    OrchestrationPage,
    OrchestrationSort,
    OrchestrationSummary,
    Validation,
)

Tags = Annotated[tuple[Name, ...], Meta(max_length=20, description="Every one of these tags.")]
ExpectedDigest = Annotated[
    str, Meta(max_length=100, description="The digest that was read; when it is another now, nothing is done.")
]

_ECHO = {"name": "echo", "steps": [{"name": "Echo", "kind": "transform", "inputMapping": {"said": "<<input.topic>>"}}]}


@query(
    meta=Needs("orchestrations.read"),
    examples=[Example(summary="Those that can be started.", input={"isActive": True})],
)
async def list_(
    ctx: Context,
    *,
    q: Search | None = None,
    tags: Tags = (),
    is_active: bool | None = None,
    created_by: Author | None = None,
    created_after: Instant | None = None,
    created_before: Instant | None = None,
    sort: OrchestrationSort = OrchestrationSort(),  # noqa: B008
    cursor: Cursor | None = None,
    direction: Forward = "forward",
    limit: Limit = 100,
) -> OrchestrationPage:
    """Orchestrations without their documents, by name unless `sort` says otherwise: all, or those that have every one
    of `tags` or `q` in name or description, are active or not, or were made by somebody or within a time. `nextCursor`
    is the `cursor` of the next page. BAD_REQUEST when the cursor is of another list. Needs orchestrations.read.
    """
    return await orchestrations.list_(
        ctx.caller,
        q=q,
        tags=tags,
        is_active=is_active,
        created_by=created_by,
        created_after=created_after,
        created_before=created_before,
        sort=sort,
        cursor=cursor,
        limit=limit,
    )


@query(meta=Needs("orchestrations.read"), examples=[Example(summary="By its name.", input={"orchestration": "review"})])
async def get(ctx: Context, *, orchestration: OrchestrationReference) -> Orchestration:
    """The orchestration of that name or id, with the document of its active version. NOT_FOUND when there is none;
    CONFLICT when no version of it is active or, with `problems`, when somebody has written rows that no document can be
    read from. Needs orchestrations.read.
    """
    return await orchestrations.get(ctx.caller, orchestration=orchestration)


@mutation(
    meta=Needs("orchestrations.write"), examples=[Example(summary="One step, no model.", input={"document": _ECHO})]
)
async def create(ctx: Context, *, document: Json, idempotency_key: Key | None = None) -> Orchestration:
    """A new orchestration from a document, published as version 1 and active at once; `orchestration.draft` makes one
    that is not. BAD_REQUEST with every one of its `problems`, each with a JSON Pointer into the document; CONFLICT when
    the name is taken. The same `idempotencyKey` gives the same answer for a day; CONFLICT when it was used with another
    request. Needs orchestrations.write.
    """
    return await orchestrations.create(ctx.caller, document=document, idempotency_key=idempotency_key)


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="Let nothing start any more.", input={"orchestration": "review", "isActive": False})],
)
async def update(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    changes: JsonObject | None = None,
    is_active: bool | None = None,
    if_version: ExpectedVersion | None = None,
    if_digest: ExpectedDigest | None = None,
    breaking: Breaking = False,
    idempotency_key: Key | None = None,
) -> Orchestration:
    """The orchestration, changed: `changes` replaces whole fields of its document, which makes a new version, active
    at once; `isActive` lets executions start or not. What runs keeps to its version. With `ifVersion` or `ifDigest` it
    is CONFLICT when somebody has changed it since. BAD_REQUEST with the problems BREAKING_CHANGE when inputs that were
    taken would be refused or less is promised of the output, unless `breaking` is true; NOT_FOUND, CONFLICT and
    BAD_REQUEST as `orchestration.get` and `orchestration.create`. Needs orchestrations.write.
    """
    return await orchestrations.update(
        ctx.caller,
        orchestration=orchestration,
        changes=changes,
        is_active=is_active,
        if_version=if_version,
        if_digest=if_digest,
        breaking=breaking,
        idempotency_key=idempotency_key,
    )


@mutation(
    meta=Needs("orchestrations.write"), examples=[Example(summary="By its name.", input={"orchestration": "review"})]
)
async def delete(ctx: Context, *, orchestration: OrchestrationReference) -> OrchestrationSummary:
    """The orchestration, which is gone now with its versions. NOT_FOUND when there is none; CONFLICT when it was ever
    executed. Needs orchestrations.write.
    """
    return await orchestrations.delete(ctx.caller, orchestration=orchestration)


@query(meta=Needs("orchestrations.read"), examples=[Example(summary="One step, no model.", input={"document": _ECHO})])
async def validate(ctx: Context, *, document: Json) -> Validation:
    """Every problem of a document, each with its place and what may stand there; when there are none, its digest and
    the most steps that an execution can run. Nothing is saved. A document too long for a URL can be sent
    with POST: `methodOverride: 'POST'` on the link. Needs orchestrations.read.
    """
    return await orchestrations.validate(ctx.caller, document=document)


@query(meta=Needs("orchestrations.read"))
async def schema(ctx: Context) -> JsonObject:
    """The JSON Schema (2020-12) of a document and of a file of roles and documents, with a text for every field. An
    editor uses it for a file that begins with `# yaml-language-server: $schema=` and the place where it is kept. Needs
    orchestrations.read.
    """
    return bundles.schema(ctx.caller)


@query(
    meta=Needs("orchestrations.read"),
    examples=[Example(summary="What this would change.", input={"orchestration": "review", "document": _ECHO})],
)
async def diff(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    from_: Number | None = None,
    to: Number | None = None,
    document: Json = None,
) -> tuple[Change, ...]:
    """What makes the version `to`, or the `document`, of the version `from`; a version that is not given is the active
    one. What it comes to reach outside (`effects`) stands first; then steps added, removed, moved and changed, and the
    fields that differ, before and after; empty when both mean the same. Nothing is saved. NOT_FOUND, CONFLICT and
    BAD_REQUEST as `orchestration.get` and `orchestration.create`. Needs orchestrations.read.
    """
    return await orchestrations.diff(ctx.caller, orchestration=orchestration, from_=from_, to=to, document=document)

"""orchestration.*: workflows by name."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services import bundles, orchestrations
from services.definitions.diff import Change
from services.definitions.document import Name
from services.json import Json, JsonObject
from services.listing import Limit, OrchestrationReference
from services.orchestrations import Orchestration, OrchestrationSummary, Validation

OrchestrationName = Annotated[str, Meta(max_length=100)]

_ECHO = {"name": "echo", "steps": [{"name": "Echo", "kind": "transform", "inputMapping": {"said": "<<input.topic>>"}}]}


@query(
    meta=Needs("orchestrations.read"),
    examples=[Example(summary="Those that can be started.", input={"isActive": True})],
)
async def list_(
    ctx: Context,
    *,
    tag: Name | None = None,
    is_active: bool | None = None,
    limit: Limit = 100,
    after: OrchestrationName | None = None,
) -> list[OrchestrationSummary]:
    """Orchestrations by name, without their documents; `tag` and `isActive` narrow, `after` goes on behind a name.
    Needs orchestrations.read.
    """
    return await orchestrations.list_(ctx.caller, tag=tag, is_active=is_active, limit=limit, after=after)


@query(meta=Needs("orchestrations.read"), examples=[Example(summary="By its name.", input={"orchestration": "review"})])
async def get(ctx: Context, *, orchestration: OrchestrationReference) -> Orchestration:
    """The orchestration of that name or id, with the document of its active version. NOT_FOUND when there is none;
    CONFLICT when no version of it is active. Needs orchestrations.read.
    """
    return await orchestrations.get(ctx.caller, orchestration=orchestration)


@mutation(
    meta=Needs("orchestrations.write"), examples=[Example(summary="One step, no model.", input={"document": _ECHO})]
)
async def create(ctx: Context, *, document: Json) -> Orchestration:
    """A new orchestration from a document, published as version 1 and active at once. BAD_REQUEST with every one of
    its `problems`, each with a JSON Pointer into the document; CONFLICT when the name is taken. Needs
    orchestrations.write.
    """
    return await orchestrations.create(ctx.caller, document=document)


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
) -> Orchestration:
    """The orchestration, changed: `changes` replaces whole fields of its document, which makes a new version, active
    at once; `isActive` lets executions start or not. What runs keeps to its version. NOT_FOUND, CONFLICT and
    BAD_REQUEST as `orchestration.get` and `orchestration.create`. Needs orchestrations.write.
    """
    return await orchestrations.update(ctx.caller, orchestration=orchestration, changes=changes, is_active=is_active)


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


@query(
    meta=Needs("orchestrations.read"),
    examples=[Example(summary="What this would change.", input={"orchestration": "review", "document": _ECHO})],
)
async def diff(ctx: Context, *, orchestration: OrchestrationReference, document: Json) -> tuple[Change, ...]:
    """What would change if this document replaced the active version: steps added, removed, moved and changed, and the
    fields that differ, before and after; empty when both mean the same. Nothing is saved. NOT_FOUND, CONFLICT and
    BAD_REQUEST as `orchestration.get` and `orchestration.create`. Needs orchestrations.read.
    """
    return await orchestrations.diff(ctx.caller, orchestration=orchestration, document=document)


@query(meta=Needs("orchestrations.read"))
async def schema(ctx: Context) -> JsonObject:
    """The JSON Schema (2020-12) of a document and of a file of roles and documents, with a text for every field. An
    editor uses it for a file that begins with `# yaml-language-server: $schema=` and the place where it is kept. Needs
    orchestrations.read.
    """
    return bundles.schema(ctx.caller)

"""orchestration.*, version by version: drafts and proposals, what is published of them, and what is active."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.procedures.orchestrations import ExpectedDigest
from api.procedures.parameters import Breaking, Cursor, ExpectedVersion, Forward, Key, Message, Number
from api.rpc import Example, mutation, query
from services import orchestrations
from services.json import Json
from services.listing import Limit, OrchestrationReference
from services.orchestrations import Orchestration, Version, VersionPage, VersionStatus, VersionSummary

Percent = Annotated[int, Meta(ge=0, le=100, description="Of a hundred keys, how many about.")]

_REVIEW = {
    "name": "review",
    "steps": [{"name": "Score", "kind": "transform", "inputMapping": {"of": "<<input.topic>>"}}],
}


@query(
    meta=Needs("orchestrations.read"), examples=[Example(summary="Those of one.", input={"orchestration": "review"})]
)
async def versions(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    status: VersionStatus | None = None,
    cursor: Cursor | None = None,
    direction: Forward = "forward",
    limit: Limit = 50,
) -> VersionPage:
    """The versions of an orchestration without their documents, the newest first; all, or those in a `status`.
    `nextCursor` is the `cursor` of the next page. NOT_FOUND when there is no such orchestration; BAD_REQUEST when the
    cursor is of another list. Needs orchestrations.read.
    """
    return await orchestrations.versions(
        ctx.caller, orchestration=orchestration, status=status, cursor=cursor, limit=limit
    )


@query(
    meta=Needs("orchestrations.read"),
    examples=[Example(summary="The first one, whole.", input={"orchestration": "review", "number": 1})],
)
async def version(ctx: Context, *, orchestration: OrchestrationReference, number: Number) -> Version:
    """A version with its document, what keeps one that is not decided from being published, and what it reaches: its
    `effects` on the world outside, and the roles and versions that it was checked with, with those that are others now
    (`drift`). NOT_FOUND when there is no such orchestration or version; CONFLICT with `problems` when somebody has
    written rows that no document can be read from. Needs orchestrations.read.
    """
    return await orchestrations.version(ctx.caller, orchestration=orchestration, number=number)


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[
        Example(summary="Of an orchestration that there is.", input={"orchestration": "review", "document": _REVIEW})
    ],
)
async def draft(
    ctx: Context,
    *,
    document: Json,
    orchestration: OrchestrationReference | None = None,
    number: Number | None = None,
    message: Message = "",
    if_digest: ExpectedDigest | None = None,
    idempotency_key: Key | None = None,
) -> Version:
    """A draft that holds the document: of a new orchestration, of one there is, or, with `number`, in place of what
    that draft held. It may have problems, which the answer names, until it is published. BAD_REQUEST when the document
    cannot be read; NOT_FOUND when there is no such orchestration or version; CONFLICT when the name of a new one is
    taken, the version is no draft, it has not the digest `ifDigest` any more, or as `orchestration.create` with a key.
    Needs orchestrations.write.
    """
    return await orchestrations.draft(
        ctx.caller,
        document=document,
        orchestration=orchestration,
        number=number,
        message=message,
        if_digest=if_digest,
        idempotency_key=idempotency_key,
    )


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="By its number.", input={"orchestration": "review", "number": 2})],
)
async def discard(ctx: Context, *, orchestration: OrchestrationReference, number: Number) -> VersionSummary:
    """The draft, which is gone now. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is no
    draft. Needs orchestrations.write.
    """
    return await orchestrations.discard(ctx.caller, orchestration=orchestration, number=number)


@mutation(
    meta=Needs("orchestrations.propose"),
    examples=[
        Example(summary="With a reason.", input={"orchestration": "review", "document": _REVIEW, "message": "Shorter."})
    ],
)
async def propose(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    document: Json,
    message: Message = "",
    idempotency_key: Key | None = None,
) -> Version:
    """A proposal: a version that nobody edits, for somebody with orchestrations.write to publish or reject.
    BAD_REQUEST with every one of its `problems`; NOT_FOUND when there is no such orchestration; CONFLICT as
    `orchestration.create` with a key. Needs orchestrations.propose.
    """
    return await orchestrations.propose(
        ctx.caller, orchestration=orchestration, document=document, message=message, idempotency_key=idempotency_key
    )


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="And make it active.", input={"orchestration": "review", "number": 2})],
)
async def publish(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    number: Number,
    activate: bool = True,
    breaking: Breaking = False,
    if_version: ExpectedVersion | None = None,
) -> Version:
    """The draft or proposal, published, and active unless `activate` is false. BAD_REQUEST with its `problems`, among
    them BREAKING_CHANGE as `orchestration.update`; NOT_FOUND when there is no such orchestration or version; CONFLICT
    when it is neither draft nor proposal, another version than `ifVersion` is active, or its name is another's. Needs
    orchestrations.write.
    """
    return await orchestrations.publish(
        ctx.caller,
        orchestration=orchestration,
        number=number,
        activate=activate,
        breaking=breaking,
        if_version=if_version,
    )


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[
        Example(summary="With a reason.", input={"orchestration": "review", "number": 2, "reason": "Too short."})
    ],
)
async def reject(
    ctx: Context, *, orchestration: OrchestrationReference, number: Number, reason: Message = ""
) -> Version:
    """The proposal, rejected for good. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is no
    proposal. Needs orchestrations.write.
    """
    return await orchestrations.reject(ctx.caller, orchestration=orchestration, number=number, reason=reason)


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="By its number.", input={"orchestration": "review", "number": 1})],
)
async def activate(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    number: Number,
    if_version: ExpectedVersion | None = None,
) -> Orchestration:
    """The orchestration, of which that published version is active now. NOT_FOUND when there is no such orchestration
    or version; CONFLICT when it is not published, another version than `ifVersion` is active, or its name is another's.
    Needs orchestrations.write.
    """
    return await orchestrations.activate(ctx.caller, orchestration=orchestration, number=number, if_version=if_version)


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="To the one before.", input={"orchestration": "review"})],
)
async def rollback(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    number: Number | None = None,
    if_version: ExpectedVersion | None = None,
    idempotency_key: Key | None = None,
) -> Orchestration:
    """The orchestration, of which the published version before the active one is active now, or that of an earlier
    `number`. Give `ifVersion` or `idempotencyKey`, so that a call that is repeated goes back once. BAD_REQUEST when the
    number is not an earlier one; NOT_FOUND and CONFLICT as `orchestration.activate`, also when none before is
    published. Needs orchestrations.write.
    """
    return await orchestrations.rollback(
        ctx.caller, orchestration=orchestration, number=number, if_version=if_version, idempotency_key=idempotency_key
    )


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[
        Example(summary="A twentieth of the starts.", input={"orchestration": "review", "number": 2, "percent": 5}),
        Example(summary="No more.", input={"orchestration": "review", "percent": 0}),
    ],
)
async def canary(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    number: Number | None = None,
    percent: Percent,
    if_version: ExpectedVersion | None = None,
) -> Orchestration:
    """The orchestration, of which that published version takes a share of the starts beside the active one; with
    `percent` 0, none any more. Which starts stands in `execution.start`; a larger share takes further keys in and
    leaves none out. A canary ends when another version becomes active. Without a number the share of the present one is
    changed. BAD_REQUEST with the problems BREAKING_CHANGE when it would break callers; NOT_FOUND when there is no such
    orchestration or version; CONFLICT when it is not published, is active, has expired, or is of another major.
    Needs orchestrations.write.
    """
    return await orchestrations.canary(
        ctx.caller, orchestration=orchestration, number=number, percent=percent, if_version=if_version
    )


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="By its number.", input={"orchestration": "review", "number": 1})],
)
async def promote(ctx: Context, *, orchestration: OrchestrationReference, number: Number) -> Version:
    """The version, which does not expire any more; for people, who have looked at what an agent has made. NOT_FOUND
    when there is no such orchestration or version; CONFLICT when it is rejected or archived. Needs
    orchestrations.write.
    """
    return await orchestrations.promote(ctx.caller, orchestration=orchestration, number=number)


@mutation(
    meta=Needs("orchestrations.write"),
    examples=[Example(summary="By its number.", input={"orchestration": "review", "number": 1})],
)
async def archive(ctx: Context, *, orchestration: OrchestrationReference, number: Number) -> Version:
    """The published version, given up for good: it cannot become active again, and what runs keeps to it. NOT_FOUND
    when there is no such orchestration or version; CONFLICT when it is not published, or is active. Needs
    orchestrations.write.
    """
    return await orchestrations.archive(ctx.caller, orchestration=orchestration, number=number)

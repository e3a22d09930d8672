"""role.*, version by version: what a role was, drafts and proposals of what it could be, and what becomes of them."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.procedures.parameters import Cursor, ExpectedVersion, Forward, Key, Message, Number
from api.rpc import Example, mutation, query
from services import roles
from services.listing import Limit, RoleReference
from services.roles import ContentChanges, FieldChange, RoleVersion, RoleVersionPage, RoleVersionStatus

Edits = Annotated[ContentChanges, Meta(description="What would be another; what is left out stays as it is.")]

_KINDER = {"basePrompt": "You score drafts strictly, and kindly."}


@query(meta=Needs("roles.read"), examples=[Example(summary="Those of one.", input={"role": "Critic"})])
async def versions(
    ctx: Context,
    *,
    role: RoleReference,
    status: RoleVersionStatus | None = None,
    cursor: Cursor | None = None,
    direction: Forward = "forward",
    limit: Limit = 20,
) -> RoleVersionPage:
    """What a role was at each of its versions, and what it was drafted or proposed to be, the newest first; all, or
    those in a `status`. NOT_FOUND when there is no such role; BAD_REQUEST as `role.list`. Needs roles.read.
    """
    return await roles.versions(ctx.caller, role=role, status=status, cursor=cursor, limit=limit)


@query(
    meta=Needs("roles.read"),
    examples=[Example(summary="What has changed since the first version.", input={"role": "Critic", "from": 1})],
)
async def diff(
    ctx: Context, *, role: RoleReference, from_: Number | None = None, to: Number | None = None
) -> tuple[FieldChange, ...]:
    """What makes the version `to` of the version `from`, field by field, and texts also line by line; a version that is
    not given is what the role is now. NOT_FOUND when there is no such role or version. Needs roles.read.
    """
    return await roles.diff(ctx.caller, role=role, from_=from_, to=to)


@mutation(
    meta=Needs("roles.write"),
    examples=[Example(summary="Of another prompt.", input={"role": "Critic", "changes": _KINDER})],
)
async def draft(
    ctx: Context,
    *,
    role: RoleReference,
    changes: Edits,
    number: Number | None = None,
    message: Message = "",
    if_version: ExpectedVersion | None = None,
    idempotency_key: Key | None = None,
) -> RoleVersion:
    """A draft: what the role is now with the changes or, with `number`, what that draft was with them. It may have
    problems, which the answer names, until it is published. NOT_FOUND when there is no such role or version; CONFLICT
    when the version is no draft, and as `role.update`. Needs roles.write.
    """
    return await roles.draft(
        ctx.caller,
        role=role,
        changes=changes,
        number=number,
        message=message,
        if_version=if_version,
        idempotency_key=idempotency_key,
    )


@mutation(
    meta=Needs("roles.write"), examples=[Example(summary="By its number.", input={"role": "Critic", "number": 2})]
)
async def discard(ctx: Context, *, role: RoleReference, number: Number) -> RoleVersion:
    """The draft, which is gone now. NOT_FOUND when there is no such role or version; CONFLICT when it is no draft.
    Needs roles.write.
    """
    return await roles.discard(ctx.caller, role=role, number=number)


@mutation(
    meta=Needs("roles.propose"),
    examples=[
        Example(summary="With a reason.", input={"role": "Critic", "changes": _KINDER, "message": "It hurts less."})
    ],
)
async def propose(
    ctx: Context,
    *,
    role: RoleReference,
    changes: Edits,
    message: Message = "",
    if_version: ExpectedVersion | None = None,
    idempotency_key: Key | None = None,
) -> RoleVersion:
    """A proposal: what the role is now with the changes, as a version that nobody edits, for somebody with roles.write
    to publish or reject. BAD_REQUEST with its `problems`; NOT_FOUND when there is no such role; CONFLICT as
    `role.update`. Needs roles.propose.
    """
    return await roles.propose(
        ctx.caller,
        role=role,
        changes=changes,
        message=message,
        if_version=if_version,
        idempotency_key=idempotency_key,
    )


@mutation(
    meta=Needs("roles.write"), examples=[Example(summary="By its number.", input={"role": "Critic", "number": 2})]
)
async def publish(
    ctx: Context, *, role: RoleReference, number: Number, if_version: ExpectedVersion | None = None
) -> RoleVersion:
    """The draft or proposal, published: it is what the role is from now on. BAD_REQUEST with its `problems`; NOT_FOUND
    when there is no such role or version; CONFLICT when it is neither draft nor proposal, the role has come to a later
    version, or is not at `ifVersion`, or its name is another's. Needs roles.write.
    """
    return await roles.publish(ctx.caller, role=role, number=number, if_version=if_version)


@mutation(
    meta=Needs("roles.write"),
    examples=[Example(summary="With a reason.", input={"role": "Critic", "number": 2, "reason": "Too kind."})],
)
async def reject(ctx: Context, *, role: RoleReference, number: Number, reason: Message = "") -> RoleVersion:
    """The proposal, rejected for good. NOT_FOUND when there is no such role or version; CONFLICT when it is no
    proposal. Needs roles.write.
    """
    return await roles.reject(ctx.caller, role=role, number=number, reason=reason)


@mutation(
    meta=Needs("roles.write"), examples=[Example(summary="By its number.", input={"role": "Critic", "number": 1})]
)
async def archive(ctx: Context, *, role: RoleReference, number: Number) -> RoleVersion:
    """The published version, given up for good: no roll-back goes there, and what runs keeps to it. NOT_FOUND when
    there is no such role or version; CONFLICT when it is not published, or is what the role is. Needs roles.write.
    """
    return await roles.archive(ctx.caller, role=role, number=number)

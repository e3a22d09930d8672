"""role.*: who the models play."""

from api.context import Context
from api.policy import Needs
from api.procedures.parameters import Author, Cursor, ExpectedVersion, Forward, Key, Number, Search
from api.rpc import Example, mutation, query
from services import roles
from services.definitions.document import Name, Text
from services.json import Json
from services.listing import Instant, Limit, RoleReference
from services.models.selection import ModelConstraints
from services.roles import Parameters, Role, RoleChanges, RolePage, RoleSort, ToolName


@query(meta=Needs("roles.read"), examples=[Example(summary="The first ten.", input={"limit": 10})])
async def list_(
    ctx: Context,
    *,
    q: Search | None = None,
    tool: ToolName | None = None,
    is_active: bool | None = None,
    created_by: Author | None = None,
    created_after: Instant | None = None,
    created_before: Instant | None = None,
    sort: RoleSort = RoleSort(),  # noqa: B008
    cursor: Cursor | None = None,
    direction: Forward = "forward",
    limit: Limit = 100,
) -> RolePage:
    """Roles, by name unless `sort` says otherwise: all, or those that list a `tool`, have `q` in name or description,
    or were made by somebody or within a time. `nextCursor` is the `cursor` of the next page. BAD_REQUEST when the
    cursor is of another list. Needs roles.read.
    """
    return await roles.list_(
        ctx.caller,
        q=q,
        tool=tool,
        is_active=is_active,
        created_by=created_by,
        created_after=created_after,
        created_before=created_before,
        sort=sort,
        cursor=cursor,
        limit=limit,
    )


@query(meta=Needs("roles.read"), examples=[Example(summary="By its name.", input={"role": "Critic"})])
async def get(ctx: Context, *, role: RoleReference) -> Role:
    """The role of that name or id; its `problems` are what keeps it from being used. NOT_FOUND when there is none.
    Needs roles.read.
    """
    return await roles.get(ctx.caller, role=role)


@mutation(
    meta=Needs("roles.write"),
    examples=[
        Example(
            summary="A name and a prompt are enough.",
            input={"name": "Haiku Poet", "basePrompt": "Answer with a haiku."},
        )
    ],
)
async def create(
    ctx: Context,
    *,
    name: Name,
    base_prompt: Text,
    description: Text = "",
    tools: tuple[ToolName, ...] = (),
    needs_tools: bool = False,
    model: ModelConstraints = ModelConstraints(),  # noqa: B008
    parameters: Parameters = Parameters(),  # noqa: B008
    output_schema: Json = None,
    is_active: bool = True,
    idempotency_key: Key | None = None,
) -> Role:
    """A new role, at version 1. CONFLICT when the name is taken; BAD_REQUEST with `problems` when a tool does not
    exist or `outputSchema` is no JSON Schema. The same `idempotencyKey` gives the same answer for a day; CONFLICT when
    it was used with another request. Needs roles.write.
    """
    changes = RoleChanges(
        description=description,
        tools=tools,
        needs_tools=needs_tools,
        model=model,
        parameters=parameters,
        output_schema=output_schema,
        is_active=is_active,
    )
    return await roles.create(
        ctx.caller, name=name, base_prompt=base_prompt, changes=changes, idempotency_key=idempotency_key
    )


@mutation(
    meta=Needs("roles.write"),
    examples=[
        Example(
            summary="Another prompt; the rest stays.",
            input={"role": "Critic", "changes": {"basePrompt": "You score drafts strictly, and kindly."}},
        )
    ],
)
async def update(
    ctx: Context,
    *,
    role: RoleReference,
    changes: RoleChanges,
    if_version: ExpectedVersion | None = None,
    idempotency_key: Key | None = None,
) -> Role:
    """The role, changed; fields that `changes` leaves out stay. Executions that have started keep to the content they
    started with. With `ifVersion` it is CONFLICT when somebody has changed it since. NOT_FOUND, CONFLICT and
    BAD_REQUEST as `role.get` and `role.create`. Needs roles.write.
    """
    return await roles.update(
        ctx.caller, role=role, changes=changes, if_version=if_version, idempotency_key=idempotency_key
    )


@mutation(meta=Needs("roles.write"), examples=[Example(summary="By its name.", input={"role": "Critic"})])
async def delete(ctx: Context, *, role: RoleReference) -> Role:
    """The role, which is gone now. NOT_FOUND when there is none; CONFLICT while a step of an orchestration uses it.
    Needs roles.write.
    """
    return await roles.delete(ctx.caller, role=role)


@mutation(meta=Needs("roles.write"), examples=[Example(summary="By its name.", input={"role": "Critic"})])
async def promote(ctx: Context, *, role: RoleReference) -> Role:
    """The role, which does not expire any more; for people, who have looked at what an agent has made. NOT_FOUND when
    there is none. Needs roles.write.
    """
    return await roles.promote(ctx.caller, role=role)


@mutation(
    meta=Needs("roles.write"), examples=[Example(summary="By its number.", input={"role": "Critic", "number": 1})]
)
async def rollback(
    ctx: Context,
    *,
    role: RoleReference,
    number: Number | None = None,
    if_version: ExpectedVersion | None = None,
    idempotency_key: Key | None = None,
) -> Role:
    """The role with what it was at version `number`, or at the published one before its present version, which makes a
    new version; its name stays. NOT_FOUND when there is no such role or version; CONFLICT when there is none before, it
    is not published, and as `role.update`; BAD_REQUEST when a tool of that time does not exist any more. Needs
    roles.write.
    """
    return await roles.rollback(
        ctx.caller, role=role, number=number, if_version=if_version, idempotency_key=idempotency_key
    )

"""role.*: who the models play."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services import roles
from services.definitions.document import Name, Text
from services.json import Json
from services.listing import Limit, RoleReference
from services.models.selection import ModelConstraints
from services.roles import Parameters, Role, RoleChanges, ToolName

RoleName = Annotated[str, Meta(max_length=100)]


@query(meta=Needs("roles.read"), examples=[Example(summary="The first ten.", input={"limit": 10})])
async def list_(
    ctx: Context, *, tool: ToolName | None = None, limit: Limit = 100, after: RoleName | None = None
) -> list[Role]:
    """Roles by name; `tool` keeps those that list this tool, `after` goes on behind a name. Needs roles.read."""
    return await roles.list_(ctx.caller, tool=tool, limit=limit, after=after)


@query(meta=Needs("roles.read"), examples=[Example(summary="By its name.", input={"role": "Critic"})])
async def get(ctx: Context, *, role: RoleReference) -> Role:
    """The role of that name or id. NOT_FOUND when there is none. Needs roles.read."""
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
) -> Role:
    """A new role, at version 1. CONFLICT when the name is taken; BAD_REQUEST with `problems` when a tool does not
    exist or `outputSchema` is no JSON Schema. Needs roles.write.
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
    return await roles.create(ctx.caller, name=name, base_prompt=base_prompt, changes=changes)


@mutation(
    meta=Needs("roles.write"),
    examples=[
        Example(
            summary="Another prompt; the rest stays.",
            input={"role": "Critic", "changes": {"basePrompt": "You score drafts strictly, and kindly."}},
        )
    ],
)
async def update(ctx: Context, *, role: RoleReference, changes: RoleChanges) -> Role:
    """The role, changed; fields that `changes` leaves out stay. Executions that have started keep to the content they
    started with. NOT_FOUND, CONFLICT and BAD_REQUEST as `role.get` and `role.create`. Needs roles.write.
    """
    return await roles.update(ctx.caller, role=role, changes=changes)


@mutation(meta=Needs("roles.write"), examples=[Example(summary="By its name.", input={"role": "Critic"})])
async def delete(ctx: Context, *, role: RoleReference) -> Role:
    """The role, which is gone now. NOT_FOUND when there is none; CONFLICT while a step of an orchestration uses it.
    Needs roles.write.
    """
    return await roles.delete(ctx.caller, role=role)

"""`system.create_role`, `list_roles`, `update_role` and `delete_role`."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from meta_tools import rights
from meta_tools.system import system_tool
from services import roles
from services.definitions.document import Name, Text
from services.errors import Conflict
from services.json import Json
from services.listing import Limit, RoleReference
from services.models.selection import ModelConstraints
from services.roles import Parameters, Role, RoleChanges, ToolName
from services.tools.tool import ToolContext

BasePrompt = Annotated[Text, Meta(description="The system prompt: who the role is, what it does, how it answers.")]
RoleTools = Annotated[
    tuple[ToolName, ...], Meta(description="Names of tools that your own role has as well; never `meta`.")
]
NeedsTools = Annotated[bool, Meta(description="Whether its model must be able to call tools.")]
OutputSchema = Annotated[Json, Meta(description="A JSON Schema that every answer of the role must fit.")]

_ANY_MODEL = ModelConstraints()
_PROVIDER_DEFAULTS = Parameters()


@system_tool("create_role", effect="write", honours_key=True)
async def create(
    context: ToolContext,
    *,
    name: Name,
    base_prompt: BasePrompt,
    description: Text = "",
    tools: RoleTools = (),
    needs_tools: NeedsTools = False,
    model: ModelConstraints = _ANY_MODEL,
    parameters: Parameters = _PROVIDER_DEFAULTS,
    output_schema: OutputSchema = None,
) -> Role:
    """Create a role: who a model plays in the `agent` and `llm` steps of orchestrations. Gives back the role with its
    id; steps refer to it by `roleName`.

    A call that is repeated because its result was lost finds the role that it made: one by the same creator, active and
    with exactly this content is given back; any other of that name is a conflict.
    """
    rights.may_give(await rights.own_role(context), tools)
    asked = RoleChanges(
        description=description,
        base_prompt=base_prompt,
        tools=tools,
        needs_tools=needs_tools,
        model=model,
        parameters=parameters,
        output_schema=output_schema,
        is_active=True,
    )
    try:
        return await roles.create(context.caller, name=name, base_prompt=base_prompt, changes=asked)
    except Conflict:
        existing = await roles.get(context.caller, role=name)
        if existing.created_by != context.caller.name or not _has(existing, asked):
            raise
        return existing


@system_tool("list_roles", effect="read")
async def list_(
    context: ToolContext, *, tool: ToolName | None = None, limit: Limit = 50, after: str | None = None
) -> list[Role]:
    """List roles by name with their prompts, tools and model wishes: all of them, or those that list a `tool`. For the
    next page give the last name as `after`.
    """
    return (await roles.list_(context.caller, tool=tool, limit=limit, after=after)).items


@system_tool("update_role", effect="write", honours_key=True)
async def update(
    context: ToolContext,
    *,
    role: RoleReference,
    name: Name | UnsetType = UNSET,
    description: Text | UnsetType = UNSET,
    base_prompt: BasePrompt | UnsetType = UNSET,
    tools: RoleTools | UnsetType = UNSET,
    needs_tools: NeedsTools | UnsetType = UNSET,
    model: ModelConstraints | UnsetType = UNSET,
    parameters: Parameters | UnsetType = UNSET,
    output_schema: OutputSchema | UnsetType = UNSET,
    is_active: bool | UnsetType = UNSET,
) -> Role:
    """Change fields of a role; what is left out stays as it is. Executions that have started keep to the role as it
    was. Your own role, and roles that may do more than yours, are not yours to change.
    """
    own = await rights.own_role(context)
    target = await roles.get(context.caller, role=role)
    rights.may_change(own, target)
    if tools is not UNSET:
        rights.may_give(own, tools)
    changes = RoleChanges(
        name=name,
        description=description,
        base_prompt=base_prompt,
        tools=tools,
        needs_tools=needs_tools,
        model=model,
        parameters=parameters,
        output_schema=output_schema,
        is_active=is_active,
    )
    return await roles.update(context.caller, role=str(target.id), changes=changes)


@system_tool("delete_role", effect="write", security="high", honours_key=True)
async def delete(context: ToolContext, *, role: RoleReference) -> Role:
    """Delete a role that no orchestration uses, and give back what it was. Your own role, and roles that may do more
    than yours, are not yours to delete.
    """
    own = await rights.own_role(context)
    target = await roles.get(context.caller, role=role)
    rights.may_change(own, target)
    return await roles.delete(context.caller, role=str(target.id))


def _has(role: Role, asked: RoleChanges) -> bool:
    """Whether a role is what was asked for. Compared as JSON, where `true` is not `1`."""
    return all(_encoded(getattr(role, name)) == _encoded(getattr(asked, name)) for name in _COMPARED)


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


_COMPARED = tuple(name for name in RoleChanges.__struct_fields__ if name != "name")

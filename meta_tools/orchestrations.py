"""`system.create_orchestration`, `list_…`, `get_…`, `update_…` and `delete_orchestration`."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from meta_tools import rights
from meta_tools.system import system_tool
from services import orchestrations
from services.definitions.document import Document, Step, as_json
from services.errors import Conflict
from services.json import Json, JsonObject
from services.listing import Limit
from services.orchestrations import Orchestration, OrchestrationSummary
from services.tools.tool import ToolContext


def _step_schema() -> dict[str, Any]:
    """A step as documents write it: a role may be named by its id, and the place in the list is the order."""
    _, components = msgspec.json.schema_components([Step])
    schema = components[Step.__name__]
    del schema["properties"]["order"]["default"]
    schema["properties"] |= {
        "roleId": {"type": "string"},
        "stepType": {"enum": ["sequential", "parallel", "conditional"]},
    }
    return schema


OrchestrationReference = Annotated[
    str, Meta(min_length=1, max_length=100, description="An orchestration's name or id.")
]
# Told to the model, but not held to here: the service names all problems of a document at once, with their places.
StepObject = Annotated[dict[str, Any], Meta(extra_json_schema=_step_schema())]
Steps = Annotated[
    list[StepObject],
    Meta(description="The steps, in their order. Neighbours with the same `parallelGroup` run together."),
]
InputSchema = Annotated[
    Json, Meta(description="A JSON Schema of the input; `default`s of its properties are filled in.")
]
Output = Annotated[JsonObject | None, Meta(description='What it gives back, such as {"report": "<<context.report>>"}.')]
ResultSchema = Annotated[Json, Meta(description="A JSON Schema that the output must fit.")]
Changes = Annotated[
    JsonObject,
    Meta(description=f"Replaces fields of the document: {', '.join(Document.__struct_encode_fields__)}."),
]


@system_tool("create_orchestration", effect="idempotent")
async def create(
    context: ToolContext,
    *,
    name: str,
    steps: Steps,
    rolecall: Literal[1] = 1,
    description: str = "",
    tags: tuple[str, ...] = (),
    input: InputSchema = None,
    output: Output = None,
    output_schema: ResultSchema = None,
) -> Orchestration:
    """Create an orchestration from a `name` and `steps`; it is checked, published and active at once. A step has a
    `name` and a `kind`: `agent` (a role with tools) and `llm` (one model call) need `roleName`; `tool` needs `tool`;
    `transform` gives back its `inputMapping`. Templates such as `<<context.input.topic>>` in an `inputMapping` read the
    input and what earlier steps wrote. A step writes its output to the context under its own name, or, with an
    `outputMapping` such as {"draft": "<<output>>"}, under the keys of that. A refusal lists every problem with its
    place and what would be allowed.

    A call that is repeated because its result was lost finds the orchestration that it made: one by the same creator,
    active, in its first version and with exactly this content is given back; any other of that name is a conflict.
    """
    document: JsonObject = {
        "rolecall": rolecall,
        "name": name,
        "description": description,
        "tags": list(tags),
        "input": input,
        "steps": [*steps],
        "output": output,
        "outputSchema": output_schema,
    }
    await rights.may_write(context, await rights.own_role(context), document)
    try:
        return await orchestrations.create(context.caller, document=document)
    except Conflict:
        existing = await orchestrations.get(context.caller, orchestration=name)
        asked = await orchestrations.validate(context.caller, document=document)
        is_unchanged = existing.is_active and existing.version == 1 and existing.digest == asked.digest
        if existing.created_by != context.caller.name or not is_unchanged:
            raise
        return existing


@system_tool("list_orchestrations", effect="pure")
async def list_(
    context: ToolContext,
    *,
    tag: str | None = None,
    is_active: bool | None = None,
    limit: Limit = 50,
    after: str | None = None,
) -> list[OrchestrationSummary]:
    """List orchestrations by name: all of them, or those with a `tag` or a state. For the next page give the last name
    as `after`.
    """
    return await orchestrations.list_(context.caller, tag=tag, is_active=is_active, limit=limit, after=after)


@system_tool("get_orchestration", effect="pure")
async def get(context: ToolContext, *, orchestration: OrchestrationReference) -> Orchestration:
    """An orchestration with its document: its input schema, steps and output, as `system.update_orchestration` changes
    them.
    """
    return await orchestrations.get(context.caller, orchestration=orchestration)


@system_tool("update_orchestration", effect="idempotent")
async def update(
    context: ToolContext,
    *,
    orchestration: OrchestrationReference,
    changes: Changes | None = None,
    is_active: bool | None = None,
) -> Orchestration:
    """Change an orchestration: `changes` replaces whole fields of its document, such as `description` or `steps`, and
    makes a new version that is active at once; `isActive` switches it on or off. Executions that have started keep to
    their version.
    """
    own = await rights.own_role(context)
    before = await orchestrations.get(context.caller, orchestration=orchestration)
    old = as_json(before.document)
    await rights.may_write(context, own, old)
    await rights.may_write(context, own, {**old, **(changes or {})})
    return await orchestrations.update(
        context.caller, orchestration=str(before.id), changes=changes, is_active=is_active
    )


@system_tool("delete_orchestration", effect="idempotent")
async def delete(context: ToolContext, *, orchestration: OrchestrationReference) -> OrchestrationSummary:
    """Delete an orchestration that was never executed, and give back what it was. One that was is switched off with
    `system.update_orchestration` and `isActive: false`.
    """
    own = await rights.own_role(context)
    before = await orchestrations.get(context.caller, orchestration=orchestration)
    await rights.may_write(context, own, as_json(before.document))
    return await orchestrations.delete(context.caller, orchestration=str(before.id))

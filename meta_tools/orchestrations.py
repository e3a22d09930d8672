"""`system.create_orchestration`, `list_…`, `get_…`, `update_…` and `delete_orchestration`."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from meta_tools import rights
from meta_tools.system import system_tool
from services import catalog, orchestrations
from services.definitions.document import FIELDS_OF_KIND, Document, Step, as_json
from services.definitions.read import STEP_TYPES
from services.errors import Conflict
from services.json import Json, JsonObject
from services.listing import Limit, OrchestrationReference
from services.orchestrations import Orchestration, OrchestrationSummary
from services.tools.tool import ToolContext


def _step_schema() -> dict[str, Any]:
    """A step as documents write it, of a kind that this server runs.

    A role may be named by its id, and the place in the list is the order.
    """
    _, components = msgspec.json.schema_components([Step], ref_template="{name}")
    schema = _whole(components[Step.__name__], components)
    properties = {
        name: found
        for name, found in schema["properties"].items()
        if catalog.KINDS.intersection(FIELDS_OF_KIND.get(name, catalog.KINDS))
    }
    properties["kind"] = {"enum": sorted(catalog.KINDS), "default": "agent"}
    del properties["order"]["default"]
    classic = {"roleId": {"type": "string"}, "stepType": {"enum": list(STEP_TYPES)}}
    return {**schema, "properties": properties | classic}


def _whole(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with what it refers to put in its place, but for the steps in a step."""
    if isinstance(schema, list):
        return [_whole(item, components) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if (name := schema.get("$ref")) is None:
        return {key: _whole(value, components) for key, value in schema.items()}
    return (
        {"type": "object", "description": "A step."} if name == Step.__name__ else _whole(components[name], components)
    )


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
Part = Annotated[JsonObject, Meta(description="As in the document of an orchestration.")]
Changes = Annotated[
    JsonObject,
    Meta(description=f"Replaces fields of the document: {', '.join(Document.__struct_encode_fields__)}."),
]


class Shown(OrchestrationSummary, frozen=True, kw_only=True, rename="camel"):
    """An orchestration with its document as somebody would write it, without what has its default."""

    version_id: UUID
    digest: str
    max_step_runs: int
    document: JsonObject


@system_tool("create_orchestration", effect="write", honours_key=True)
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
    limits: Part | None = None,
    defaults: Part | None = None,
    groups: Part | None = None,
    on_failure: Steps | None = None,
    finally_: Steps | None = None,
) -> Shown:
    """Create an orchestration from a `name` and `steps`; it is checked, published and active at once. A step has a
    `name` and a `kind`: `agent` (a role with tools) and `llm` (one model call) need `roleName`; `tool` needs `tool`;
    `transform` gives back its `inputMapping`; `branch` takes the first of its `cases`, each with a `name`, `when` and
    `steps`, or `else`; `loop` repeats its `steps` until `until` holds, at most `maxIterations` times; `map` runs its
    `steps` for each of `items`, which they read as `<<item>>`. Templates such as `<<context.input.topic>>` in an
    `inputMapping` read the input and what earlier steps wrote. A step writes its output to the context under its own
    name, or, with an `outputMapping` such as {"draft": "<<output>>"}, under the keys of that. A refusal lists every
    problem with its place and what would be allowed.

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
    parts = {
        "limits": limits, "defaults": defaults, "groups": groups, "onFailure": on_failure, "finally": finally_,
    }  # fmt: skip
    document |= {part: value for part, value in parts.items() if value is not None}
    await rights.may_write(context, await rights.own_role(context), document)
    try:
        return _shown(await orchestrations.create(context.caller, document=document))
    except Conflict:
        existing = await orchestrations.get(context.caller, orchestration=name)
        asked = await orchestrations.validate(context.caller, document=document)
        is_unchanged = existing.is_active and existing.version == 1 and existing.digest == asked.digest
        if existing.created_by != context.caller.name or not is_unchanged:
            raise
        return _shown(existing)


@system_tool("list_orchestrations", effect="read")
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
    tags = () if tag is None else (tag,)
    found = await orchestrations.list_(context.caller, tags=tags, is_active=is_active, limit=limit, after=after)
    return found.items


@system_tool("get_orchestration", effect="read")
async def get(context: ToolContext, *, orchestration: OrchestrationReference) -> Shown:
    """An orchestration with its document: its input schema, steps and output, as `system.update_orchestration` changes
    them.
    """
    return _shown(await orchestrations.get(context.caller, orchestration=orchestration))


@system_tool("update_orchestration", effect="write", honours_key=True)
async def update(
    context: ToolContext,
    *,
    orchestration: OrchestrationReference,
    changes: Changes | None = None,
    is_active: bool | None = None,
) -> Shown:
    """Change an orchestration: `changes` replaces whole fields of its document, such as `description` or `steps`, and
    makes a new version that is active at once; `isActive` switches it on or off. Executions that have started keep to
    their version. The input schema has to take whatever it took, and the output schema may not promise less: only a
    person may break those who call it.
    """
    own = await rights.own_role(context)
    before = await orchestrations.get(context.caller, orchestration=orchestration)
    old = as_json(before.document)
    await rights.may_write(context, own, old)
    await rights.may_write(context, own, {**old, **(changes or {})})
    changed = await orchestrations.update(
        context.caller, orchestration=str(before.id), changes=changes, is_active=is_active
    )
    return _shown(changed)


@system_tool("delete_orchestration", effect="write", security="high", honours_key=True)
async def delete(context: ToolContext, *, orchestration: OrchestrationReference) -> OrchestrationSummary:
    """Delete an orchestration that was never executed, and give back what it was. One that was is switched off with
    `system.update_orchestration` and `isActive: false`.
    """
    own = await rights.own_role(context)
    before = await orchestrations.get(context.caller, orchestration=orchestration)
    await rights.may_write(context, own, as_json(before.document))
    return await orchestrations.delete(context.caller, orchestration=str(before.id))


def _shown(orchestration: Orchestration) -> Shown:
    own = {name: getattr(orchestration, name) for name in Shown.__struct_fields__}
    return Shown(**{**own, "document": as_json(orchestration.document)})

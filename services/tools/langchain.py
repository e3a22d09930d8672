"""LangChain's tools as tools of ours. Needs the extra `rolecall[langchain]`; only plugins that use it import this."""

from typing import Any

import msgspec
from langchain_core.tools import BaseTool, ToolException
from pydantic import ValidationError

from services.definitions.effects import Security, ToolEffect
from services.json import Json, JsonObject
from services.tools.tool import Tool, ToolContext, ToolError, security_of


def from_langchain(
    tool: BaseTool,
    *,
    name: str | None = None,
    effect: ToolEffect = "external",
    security: Security | None = None,
    tags: tuple[str, ...] = (),
    honours_key: bool = False,
) -> Tool:
    """A tool that calls LangChain's; its name, description and schema are the other's unless a `name` is given.

    LangChain says nothing of what a tool does to the world, so whoever knows says it here.
    """
    # What it would tell its own model, as if it were an answer, is an error to ours.
    strict = tool.model_copy(update={"handle_tool_error": False, "handle_validation_error": False})

    async def call(context: ToolContext, arguments: JsonObject) -> Json:
        try:
            # Not `ainvoke`, which takes arguments with a `type` of "tool_call" for a call to be unpacked.
            answer = await strict.arun(arguments)
        except ToolException as error:
            raise ToolError(str(error)) from None
        except ValidationError as error:
            raise ToolError(_said(error), is_final=True) from None
        return msgspec.to_builtins(answer, str_keys=True, enc_hook=_plain)

    return Tool(
        name=name or tool.name,
        description=" ".join(tool.description.split()),
        input_schema=_schema(tool),
        call=call,
        effect=effect,
        security=security or security_of(effect),
        tags=frozenset(tags),
        honours_key=honours_key,
        source="LangChain",
    )


def _schema(tool: BaseTool) -> JsonObject:
    """What a model is told of the arguments: those that LangChain injects are not among them."""
    told: Any = tool.tool_call_schema
    schema: JsonObject = told if isinstance(told, dict) else told.model_json_schema()
    return {"type": "object", **{key: value for key, value in schema.items() if key not in ("title", "description")}}


def _plain(value: Any) -> Any:
    """What msgspec does not know, as JSON: documents, messages and other models of pydantic's."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise ToolError(f"the tool gave back a {type(value).__name__}, which is no JSON", is_final=True)


def _said(error: ValidationError) -> str:
    places = (f"{'.'.join(map(str, it['loc'])) or 'all of it'}: {it['msg']}" for it in error.errors())
    return f"the arguments do not fit: {'; '.join(places)}"

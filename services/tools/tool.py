"""What a tool is: a name, a description and typed arguments."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_type_hints
from uuid import UUID

import msgspec

from services.caller import Caller
from services.definitions.patterns import portable
from services.json import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """On whose behalf a tool runs. `role_id` is an agent's role, None in a tool step. A repetition has the same key."""

    caller: Caller
    role_id: UUID | None
    idempotency_key: str


class ToolError(Exception):
    """The tool did not work; the message is for the model or the person that called it.

    With `is_final` the same call would fail again.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a role or a step may call. `tags` are names that a role can list instead of the tool's own."""

    name: str
    description: str
    arguments: type[msgspec.Struct]
    call: Callable[[ToolContext, msgspec.Struct], Awaitable[Any]]
    tags: frozenset[str] = frozenset()

    @property
    def input_schema(self) -> JsonObject:
        """The JSON Schema of the arguments, self-contained."""
        (schema,), components = msgspec.json.schema_components([self.arguments], ref_template="#/$defs/{name}")
        own = components.pop(self.arguments.__name__, schema)
        return portable({**own, "$defs": components} if components else own)

    async def run(self, context: ToolContext, arguments: Json) -> Json:
        """The tool's result as JSON.

        Raises:
            ToolError: the arguments do not fit, or the tool says why it did not work.
        """
        try:
            read = msgspec.convert(arguments, self.arguments, strict=False)
        except msgspec.ValidationError as error:
            accepted = ", ".join(field.encode_name for field in msgspec.structs.fields(self.arguments)) or "nothing"
            raise ToolError(
                f"the arguments of {self.name} do not fit: {error}; it takes {accepted}", is_final=True
            ) from None
        return msgspec.json.decode(msgspec.json.encode(await self.call(context, read)))


def tool(name: str, *, tags: tuple[str, ...] = ()) -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
    """Make a tool of `async def f(context, *, argument: type = default)`.

    The signature is the schema of its arguments, the first paragraph of the docstring its description.
    """

    def decorate(function: Callable[..., Awaitable[Any]]) -> Tool:
        async def call(context: ToolContext, arguments: msgspec.Struct) -> Any:
            return await function(
                context, **{field: getattr(arguments, field) for field in arguments.__struct_fields__}
            )

        description = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
        return Tool(
            name=name,
            description=description,
            arguments=_arguments(name, function),
            call=call,
            tags=frozenset(tags),
        )

    return decorate


def _arguments(name: str, function: Callable[..., Awaitable[Any]]) -> type[msgspec.Struct]:
    types = get_type_hints(function, include_extras=True)
    _, *parameters = inspect.signature(function).parameters.values()
    fields = [
        (it.name, types[it.name], msgspec.NODEFAULT if it.default is it.empty else it.default) for it in parameters
    ]
    title = "".join(part.capitalize() for part in name.replace(".", "_").split("_"))
    return msgspec.defstruct(title, fields, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True)

"""What a tool is: a name, a description, arguments, and how far its calls reach."""

import inspect
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from services.caller import Caller
from services.definitions.catalog import MAX_TOOL_NAME
from services.definitions.effects import Security, ToolEffect
from services.engine.outages import is_away
from services.errors import Invalid
from services.failure import Failed
from services.json import Json, JsonObject
from services.problem import Problem
from services.schema import problems_of_schema
from services.tools import arguments as reading
from services.tools.inner import InnerCalls

BUILT_IN = "built-in"

# Where nobody says more: what is not known to be harmless is taken for dangerous.
_SECURITY: Mapping[ToolEffect, Security] = {"none": "low", "read": "low", "write": "medium", "external": "high"}
# No `*`, `?` or `[`: with those a name would be a pattern.
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """On whose behalf a tool runs, and where.

    `role_id` is an agent's role, None in a tool step. A repetition has the same key. `execution` and `path` say at
    which instance of a step; a call from elsewhere has none.
    """

    caller: Caller
    role_id: UUID | None
    idempotency_key: str
    execution: UUID | None = None
    path: str = ""
    inner: InnerCalls | None = None


class ToolError(Exception):
    """The tool did not work; the message is for the model or the person that called it.

    With `is_final` the same call would fail again.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What came of a call: a `value`, or an `error`, said to whom called.

    With `is_final` the same call would fail again.
    """

    value: Json = None
    error: str | None = None
    is_final: bool = False
    duration_ms: int = 0

    def unwrapped(self) -> Json:
        """The value.

        Raises:
            ToolError: there is none, because the tool did not work.
        """
        if self.error is not None:
            raise ToolError(self.error, is_final=self.is_final)
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a role or a step may call. `tags` are names that a role can list instead of the tool's own.

    What is given is checked against `input_schema`; with `arguments` it is read as those, and `call` takes them. With
    `honours_key` a repetition under the same idempotency key has no further effect. `source` says where it is from.
    """

    name: str
    description: str
    input_schema: JsonObject
    call: Callable[[ToolContext, Any], Awaitable[Any]]
    arguments: type[msgspec.Struct] | None = None
    effect: ToolEffect = "external"
    security: Security = "high"
    tags: frozenset[str] = frozenset()
    honours_key: bool = False
    source: str = BUILT_IN

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > MAX_TOOL_NAME:
            raise Invalid(
                f"{self.name[:MAX_TOOL_NAME]!r} is no name of a tool: letters, digits, `_`, `-` and single dots between"
                f" them are, up to {MAX_TOOL_NAME} characters, such as 'shop.find_order'"
            )
        # A schema that was made of a signature is one.
        if self.arguments is None and (problems := _problems_of_schema(self.input_schema)):
            raise Invalid(f"the tool {self.name} cannot be called", problems)

    @property
    def may_be_repeated(self) -> bool:
        """Whether a call whose result was lost does no harm when it is made again, with the same key."""
        return self.effect in ("none", "read") or self.honours_key

    async def run(self, context: ToolContext, given: Json) -> ToolResult:
        """What comes of a call, also when the arguments do not fit or the tool breaks down.

        Our own tools raise what says that the database is away: the attempt is to go on when it is back.

        Raises:
            Failed: what ends the step, and not only the call.
        """
        began = time.monotonic()
        try:
            result = ToolResult(value=await self._value(context, given))
        except ToolError as error:
            result = ToolResult(error=str(error), is_final=error.is_final)
        except Failed:
            raise
        except TimeoutError:
            result = ToolResult(error=f"{self.name} took too long")
        except Exception as error:
            if self.source == BUILT_IN and is_away(error):
                raise
            _log.exception("the tool %s broke down", self.name)
            said = f"{self.name} broke down with an unexpected {type(error).__name__}; the server's log has the details"
            result = ToolResult(error=said, is_final=True)
        return msgspec.structs.replace(result, duration_ms=round((time.monotonic() - began) * 1000))

    async def _value(self, context: ToolContext, given: Json) -> Json:
        try:
            if self.arguments is None:
                read = reading.fitting(self.input_schema, given)
            else:
                read = reading.typed(self.arguments, given)
        except reading.Unfitting as error:
            raise ToolError(f"the arguments of {self.name} do not fit: {error}", is_final=True) from None
        return msgspec.json.decode(msgspec.json.encode(await self.call(context, read)))


def _problems_of_schema(schema: JsonObject) -> list[Problem]:
    path = "/inputSchema"
    if schema.get("type") != "object":
        message = "arguments have names, so the schema is that of an object"
        return [Problem(code="SCHEMA_INVALID", path=path + "/type", message=message, allowed=("object",))]
    return problems_of_schema(schema, path)


def security_of(effect: ToolEffect) -> Security:
    """The security level of a tool with that effect, where nobody says more.

    >>> security_of("read"), security_of("external")
    ('low', 'high')
    """
    return _SECURITY[effect]


def tool(
    name: str,
    *,
    effect: ToolEffect = "external",
    security: Security | None = None,
    tags: tuple[str, ...] = (),
    honours_key: bool = False,
) -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
    """Make a tool of `async def f(context, *, argument: type = default)`.

    The signature is the schema of its arguments, the first paragraph of the docstring its description. Where nothing
    is said of `effect`, the worst is assumed; `security` follows from it: low for none and read, medium for write, high
    for external.
    """

    def decorate(function: Callable[..., Awaitable[Any]]) -> Tool:
        async def call(context: ToolContext, arguments: msgspec.Struct) -> Any:
            return await function(
                context, **{field: getattr(arguments, field) for field in arguments.__struct_fields__}
            )

        arguments = reading.of_signature(name, function)
        return Tool(
            name=name,
            description=" ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split()),
            input_schema=reading.schema_of(arguments),
            call=call,
            arguments=arguments,
            effect=effect,
            security=security or security_of(effect),
            tags=frozenset(tags),
            honours_key=honours_key,
        )

    return decorate

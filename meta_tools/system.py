"""`@system_tool`: a tool in the namespace `system.`, for roles tagged `meta`, whose refusals an agent can act on."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import msgspec
from asyncpg import DataError

from db.acting import act_as
from services.definitions.effects import Security, ToolEffect
from services.errors import Conflict, Forbidden, Invalid, LimitExceeded, ServiceError
from services.problem import Problem
from services.tools.tool import Tool, ToolContext, ToolError, tool

META = "meta"
PREFIX = "system."

_MAX_PROBLEMS = 50


class Refusal(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why a call did nothing, as the agent reads it. `problems` say where and what would have been right."""

    code: str
    message: str
    problems: tuple[Problem, ...] = ()
    retry_after_seconds: float | None = None


def system_tool(
    name: str, *, effect: ToolEffect, security: Security | None = None, honours_key: bool = False
) -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
    """As `tool`, but named `system.<name>`, tagged `meta`, and with service errors turned into tool errors."""

    def decorate(function: Callable[..., Awaitable[Any]]) -> Tool:
        @wraps(function)
        async def translated(*args: Any, **kwargs: Any) -> Any:
            context: ToolContext = args[0]
            try:
                with act_as(context.caller.name, "meta", is_agent=True):
                    return await function(*args, **kwargs)
            except ServiceError as error:
                raise ToolError(told(error)) from None
            except DataError as error:  # a NUL character, above all: models write them now and then
                raise ToolError(told(Invalid(f"the database cannot keep these arguments: {error}"))) from None

        made = tool(PREFIX + name, effect=effect, security=security, tags=(META,), honours_key=honours_key)
        return made(translated)

    return decorate


def told(error: ServiceError) -> str:
    """A service error as an agent reads it: `FORBIDDEN: …` when it may not, otherwise the JSON of a `Refusal`.

    >>> told(Forbidden("only people may"))
    'FORBIDDEN: only people may'
    >>> told(Invalid("it has no name"))
    '{"code":"INVALID","message":"it has no name"}'
    """
    if isinstance(error, Forbidden):
        return f"{error.code}: {error}"
    problems = error.problems[:_MAX_PROBLEMS] if isinstance(error, Invalid | Conflict) else ()
    is_told_twice = isinstance(error, Invalid) and problems
    refusal = Refusal(
        code=error.code,
        # The message of an Invalid tells its problems once more, without what is allowed.
        message="nothing was done; mend these problems and call again" if is_told_twice else str(error),
        problems=problems,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, LimitExceeded) else None,
    )
    return msgspec.json.encode(refusal).decode()

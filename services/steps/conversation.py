"""What a role is asked and what its answer means: shared by the steps that call models."""

from collections.abc import Callable

import msgspec

from services import roles
from services.engine.performer import Attempt
from services.errors import Conflict, NotFound
from services.failure import failed
from services.json import JsonObject
from services.models.catalog import Models, went_on
from services.models.messages import Answer, Message, Request, ToolSpec, UserMessage
from services.models.provider import unheard
from services.models.selection import ModelConstraints
from services.roles import RoleContent
from services.steps.asking import complete


async def role_of(attempt: Attempt) -> RoleContent:
    """Who is to act.

    Raises:
        Failed: ROLE_INVALID, when somebody has written into the role what cannot be read; ROLE_NOT_FOUND, when it has
            gone.
    """
    assert attempt.role_version is not None, "check refuses a step without the role that its kind needs"
    try:
        return await roles.content(attempt.role_version)
    except Conflict as error:
        raise failed("ROLE_INVALID", str(error)) from None
    except NotFound as error:
        raise failed("ROLE_NOT_FOUND", str(error)) from None


def opening(attempt: Attempt) -> UserMessage:
    """The first message: the step's prompt, if it has one, then its input."""
    data = attempt.input
    text = data if isinstance(data, str) else msgspec.json.format(msgspec.json.encode(data)).decode()
    return UserMessage(f"{attempt.step.prompt}\n\n{text}" if attempt.step.prompt else text)


def request(
    role: RoleContent, attempt: Attempt, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...] = ()
) -> Request:
    """The next model call of a conversation; the engine bounds its time."""
    return Request(
        model="",
        system=role.base_prompt,
        messages=messages,
        tools=tools,
        output_schema=schema_of(role, attempt),
        temperature=role.parameters.temperature,
        max_output_tokens=role.parameters.max_output_tokens,
        timeout_seconds=attempt.timeout_ms / 1000,
    )


async def ask(
    models: Models, attempt: Attempt, role: RoleContent, request: Request, *, anew: Callable[[], None]
) -> Answer:
    """The model's answer, emitted as it comes; each call is recorded on the attempt, answered or not.

    `anew` is called when what was emitted is taken back, because another model answers.

    Raises:
        Failed: the provider failed, or the answer was cut off at its length limit.
    """
    answer = await complete(models, attempt, constraints_of(role, request), request, attempt.emit, anew)
    if answer.stop == "length":
        message = f"{answer.model} ran into its output limit; raise the role's parameters.maxOutputTokens"
        raise failed("OUTPUT_INVALID", message, retryable=False)
    return answer


async def ask_aside(models: Models, attempt: Attempt, role: RoleContent, request: Request) -> Answer:
    """The role's model's answer to something that is not the step's own, which nobody watches; it may be cut off.

    Raises:
        Failed: the provider failed.
    """
    return await complete(models, attempt, constraints_of(role, request), request, unheard, went_on)


def constraints_of(role: RoleContent, request: Request) -> ModelConstraints:
    """What the role asks of its model, for a request that may offer tools."""
    wanted = role.model
    if (request.tools or role.needs_tools) and "tools" not in wanted.capabilities:
        return msgspec.structs.replace(wanted, capabilities=(*wanted.capabilities, "tools"))
    return wanted


def schema_of(role: RoleContent, attempt: Attempt) -> JsonObject | None:
    """What the answer has to fit: the step's schema, else the role's."""
    schema = attempt.step.output_schema if attempt.step.output_schema is not None else role.output_schema
    return schema if isinstance(schema, dict) else None

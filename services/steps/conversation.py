"""What a role is asked and what its answer means: shared by the steps that call models."""

import msgspec

from services import roles
from services.engine.performer import Attempt
from services.errors import Conflict, NotFound
from services.failure import failed
from services.json import Json
from services.models.catalog import Models
from services.models.messages import Answer, Message, Request, ToolSpec, UserMessage
from services.problem import said
from services.roles import RoleContent
from services.schema import problems_of_value
from services.steps.calling import complete


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
        output_schema=_schema(role, attempt),
        temperature=role.parameters.temperature,
        max_output_tokens=role.parameters.max_output_tokens,
        timeout_seconds=attempt.timeout_ms / 1000,
    )


async def ask(models: Models, attempt: Attempt, role: RoleContent, request: Request) -> Answer:
    """The model's answer, emitted as it comes; each call is recorded on the attempt, answered or not.

    Raises:
        Failed: the provider failed, or the answer was cut off at its length limit.
    """
    constraints = role.model
    if (request.tools or role.needs_tools) and "tools" not in constraints.capabilities:
        constraints = msgspec.structs.replace(constraints, capabilities=(*constraints.capabilities, "tools"))
    answer = await complete(models, attempt, constraints, request, attempt.emit)
    if answer.stop == "length":
        message = f"{answer.model} ran into its output limit; raise the role's parameters.maxOutputTokens"
        raise failed("OUTPUT_INVALID", message, retryable=False)
    return answer


def result(role: RoleContent, attempt: Attempt, answer: Answer) -> Json:
    """What the step gives back: the text, or the JSON that the schema asks for.

    Raises:
        Failed: OUTPUT_INVALID, when the answer does not fit the schema.
    """
    schema = _schema(role, attempt)
    if schema is None:
        return answer.text
    try:
        value: Json = msgspec.json.decode(answer.text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise failed("OUTPUT_INVALID", f"{answer.model} did not answer with JSON: {error}") from None
    if problems := problems_of_value(schema, value):
        raise failed("OUTPUT_INVALID", f"the answer of {answer.model} does not fit the schema: {said(problems)}")
    return value


def _schema(role: RoleContent, attempt: Attempt) -> dict[str, Json] | None:
    schema = attempt.step.output_schema if attempt.step.output_schema is not None else role.output_schema
    return schema if isinstance(schema, dict) else None

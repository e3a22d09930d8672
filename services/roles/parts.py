"""What of a role can be nonsense when somebody has written rows by hand: read as far as it can be, and told."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec

from services.definitions.document import ContextPolicy
from services.definitions.structure import pointer, read_fields
from services.json import Json, JsonObject, Unreadable, read
from services.models.selection import ModelConstraints
from services.problem import Problem
from services.schema import problems_of_schema
from services.tools import registry

T = TypeVar("T", ModelConstraints, "Parameters")
_MAX_KEPT_CHARACTERS = 8_192


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a model is asked. Unset: the provider's own default, two `repairs`, and `trim`.

    `repairs` is how often a model is told what is wrong with its answer, so that it answers again. `context_policy`
    says what becomes of a conversation that outgrows the model's context, where the step does not.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    repairs: Annotated[int, msgspec.Meta(ge=0, le=10)] | None = None
    context_policy: ContextPolicy | None = None


class RoleParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a role, each as it was meant as far as that can be told; what cannot be read has its default.

    `problems` are what keeps the role from being used, each with its place in the role.
    """

    tools: tuple[str, ...]
    model: ModelConstraints
    parameters: Parameters
    output_schema: Json
    problems: tuple[Problem, ...]


class ContentParts(RoleParts, frozen=True, kw_only=True):
    """All that a version of a role says, as `RoleParts`."""

    name: str
    description: str
    base_prompt: str
    needs_tools: bool


def parts_of(tools: Json, model: Json, parameters: Json, output_schema: Json) -> RoleParts:
    """The parts of a role out of decoded JSON.

    >>> parts = parts_of([], {"preferred": "ollama"}, {"temperature": 0.5}, None)
    >>> [problem.path for problem in parts.problems], parts.parameters.temperature
    (['/model/preferred'], 0.5)
    """
    problems: list[Problem] = []
    return RoleParts(
        tools=_tools(tools, problems),
        model=_read(ModelConstraints, model, "/model", problems),
        parameters=_read(Parameters, parameters, "/parameters", problems),
        output_schema=_schema(output_schema, problems),
        problems=tuple(problems),
    )


def parts_of_row(tools: Json, model: str, parameters: str, output_schema: str | None) -> RoleParts:
    """The parts of a role whose JSON is text yet."""
    is_short = len(model) + len(parameters) + len(output_schema or "") <= _MAX_KEPT_CHARACTERS
    parts = (_kept_parts if is_short else _parts_of_texts)(model, parameters, output_schema)
    if not tools:
        return parts
    problems: list[Problem] = []
    named = _tools(tools, problems)
    return msgspec.structs.replace(parts, tools=named, problems=(*problems, *parts.problems))


def parts_of_content(text: str) -> ContentParts:
    """The parts of a version of a role, out of its content as the row keeps it."""
    problems: list[Problem] = []
    decoded = _decoded(text, "", problems)
    content: JsonObject = decoded if isinstance(decoded, dict) else {}
    parts = parts_of(*(content.get(name) for name in ("tools", "model", "parameters", "output_schema")))
    return ContentParts(
        **{**msgspec.structs.asdict(parts), "problems": (*problems, *parts.problems)},
        name=_text(content.get("name")),
        description=_text(content.get("description")),
        base_prompt=_text(content.get("base_prompt")),
        needs_tools=content.get("needs_tools") is True,
    )


def _parts_of_texts(model: str, parameters: str, output_schema: str | None) -> RoleParts:
    problems: list[Problem] = []
    texts = {"/model": model, "/parameters": parameters, "/outputSchema": output_schema}
    decoded = {place: _decoded(text, place, problems) for place, text in texts.items()}
    parts = parts_of([], decoded["/model"], decoded["/parameters"], decoded["/outputSchema"])
    return msgspec.structs.replace(parts, problems=(*problems, *parts.problems)) if problems else parts


# The same few texts are read in every list, and a schema takes long to be judged. Which tools there are may change.
_kept_parts = lru_cache(maxsize=1_000)(_parts_of_texts)


def unreadable(problems: Iterable[Problem]) -> list[Problem]:
    """Those of a role's problems because of which a model cannot be asked; a tool that has gone is only missing."""
    return [problem for problem in problems if problem.code != "UNKNOWN_TOOL"]


def _decoded(text: str | None, path: str, problems: list[Problem]) -> Json:
    try:
        return None if text is None else read(text)
    except Unreadable as error:
        problems.append(Problem(code="WRONG_VALUE", path=path, message=f"it cannot be read: {error}"))
        return {} if path in ("/model", "/parameters") else None


def _text(raw: Json) -> str:
    return raw if isinstance(raw, str) else ""


def _tools(raw: Json, problems: list[Problem]) -> tuple[str, ...]:
    names = raw if isinstance(raw, list) else []
    for index, name in enumerate(names):
        if not isinstance(name, str):
            message = "a tool is given by its name"
            problems.append(Problem(code="WRONG_VALUE", path="/tools" + pointer(index), message=message))
    tools = tuple(name for name in names if isinstance(name, str))
    problems += registry.problems_of_names(tools, "/tools")
    return tools


def _read(type_: type[T], raw: Json, path: str, problems: list[Problem]) -> T:
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError:
        pass
    if not isinstance(raw, dict):
        problems.append(Problem(code="WRONG_VALUE", path=path, message="this is an object"))
        return type_()
    return type_(**read_fields(type_, raw, path, problems))


def _schema(raw: Json, problems: list[Problem]) -> Json:
    if raw is not None:
        problems += problems_of_schema(raw, "/outputSchema")
    return raw

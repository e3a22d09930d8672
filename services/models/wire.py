"""What every adapter needs to put our words on the wire: tool names and call ids, schemas, arguments, local clients."""

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from services.failure import failed
from services.models import provider as failures
from services.models.messages import AssistantMessage, JsonMapping, Request, ToolCall, ToolMessage

_MAX_NAME = 64
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
# What is taken as the id of a tool call: by chat completions, by everybody else, and by Mistral.
_CALL_IDS = {
    "free": re.compile(r".{1,40}"),
    "plain": re.compile(r"[a-zA-Z0-9_-]{1,40}"),
    "short": re.compile(r"[a-zA-Z0-9]{9}"),
}
_ANSWER = "answer"
# A schema with any other keyword is sent as guidance (`strict: false`): strict mode would answer 400.
_STRICT_KEYWORDS = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "title",
        "description",
    }
)


class ErrorInAnswer(Exception):
    """An answer tells of an error instead; `kind` is its type or code, as a name or as an HTTP status."""

    def __init__(self, kind: object, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class ToolNames:
    """Our tool names as providers accept them (`[a-zA-Z0-9_-]{1,64}`), and back.

    The mapping holds for one request and is the same for the same request.

    >>> names = ToolNames(["system.create_role", "system_create_role"])
    >>> names.outside("system.create_role"), names.outside("system_create_role")
    ('system_create_role_2', 'system_create_role')
    >>> names.inside("system_create_role_2")
    'system.create_role'
    """

    def __init__(self, names: Iterable[str]) -> None:
        distinct = list(dict.fromkeys(names))
        self._outside: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        # Names that need no change come first: nobody else may take them.
        for name in sorted(distinct, key=lambda name: _sanitised(name) != name):
            outside = self._free(_sanitised(name))
            self._outside[name] = outside
            self._inside[outside] = name

    @classmethod
    def of(cls, request: Request) -> "ToolNames":
        """The names of every tool the request offers or remembers."""
        return cls([*(tool.name for tool in request.tools), *called_names(request)])

    def outside(self, name: str) -> str:
        """The provider's spelling of our `name`."""
        return self._outside[name]

    def inside(self, name: str) -> str:
        """Our spelling; a name the model made up stays as it is."""
        return self._inside.get(name, name)

    def free(self, wanted: str) -> str:
        """`wanted` as a name that none of these tools goes by outside.

        >>> ToolNames(["answer"]).free("answer")
        'answer_2'
        """
        return self._free(wanted)

    def _free(self, wanted: str) -> str:
        candidate, number = wanted, 1
        while candidate in self._inside:
            number += 1
            suffix = f"_{number}"
            candidate = wanted[: _MAX_NAME - len(suffix)] + suffix
        return candidate


def called_names(request: Request) -> list[str]:
    """The tools the conversation remembers, in order of appearance, each once."""
    names: dict[str, None] = {}
    for message in request.messages:
        match message:
            case AssistantMessage(tool_calls=calls):
                names.update(dict.fromkeys(call.name for call in calls))
            case ToolMessage(name=name):
                names[name] = None
            case _:
                pass
    return list(names)


def call_id(id: str, form: Literal["free", "plain", "short"]) -> str:
    """The id of a tool call as a provider accepts it, the same for the same id: another one may have given it.

    >>> [call_id("functions.read:0", form) for form in ("free", "plain", "short")]
    ['functions.read:0', 'c216cab2d', 'c216cab2d']
    """
    return id if _CALL_IDS[form].fullmatch(id) else hashlib.sha256(id.encode()).hexdigest()[:9]


def missing_call_id(request: Request, number: int) -> str:
    """The id of the answer's tool call `number`, counted from 1, where the provider gave none."""
    earlier = sum(len(told.tool_calls) for told in request.messages if isinstance(told, AssistantMessage))
    return f"call_{earlier + number}"


class Held:
    """A schema in the form providers hold a model to: that of an object. Any other is wrapped into one, as `answer`.

    >>> held = Held({"type": "array", "items": {"type": "integer"}})
    >>> sorted(held.schema["properties"]), held.text_of('{"answer": [1, 2]}')
    (['answer'], '[1,2]')
    """

    def __init__(self, schema: JsonMapping) -> None:
        self._is_wrapped = schema.get("type") != "object"
        self.schema = _wrapped(schema) if self._is_wrapped else schema

    def text_of(self, text: str) -> str:
        """The JSON of the answer itself in what the model wrote; what is no wrapped answer stays as it is."""
        text = without_fence(text)
        if not self._is_wrapped:
            return text
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text
        if not isinstance(value, dict) or set(value) != {_ANSWER}:
            return text
        return msgspec.json.encode(value[_ANSWER]).decode()


class AnswerTool(msgspec.Struct, frozen=True):
    """The tool as whose arguments an answer is asked for, where a provider holds nothing else to a schema."""

    name: str
    description: str
    input_schema: JsonMapping

    @classmethod
    def of(cls, schema: JsonMapping, names: ToolNames) -> "AnswerTool":
        """The tool for the output schema, by a name that no other tool of the request has."""
        description = "Give your final answer by calling this, when you need nothing else any more."
        return cls(names.free(_ANSWER), description, Held(schema).schema)


def held_answer(
    request: Request, names: ToolNames, text: str, calls: tuple[ToolCall, ...]
) -> tuple[str, tuple[ToolCall, ...]]:
    """The answer's text and calls, where the request has an output schema: its JSON, and calls of real tools only.

    An answer that comes together with calls is none yet: the calls come first.
    """
    if request.output_schema is None:
        return text, calls
    name = names.free(_ANSWER)
    answers = [call for call in calls if call.name == name]
    real = tuple(call for call in calls if call.name != name)
    if answers:
        text = "" if real else msgspec.json.encode(answers[0].arguments).decode()
    return Held(request.output_schema).text_of(text), real


def is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes the schema: closed objects, all members required, and few keywords."""
    if not isinstance(schema, dict) or not _STRICT_KEYWORDS.issuperset(schema):
        return False
    members = schema.get("properties", {})
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False or sorted(schema.get("required", [])) != sorted(members)
    ):
        return False
    inner = [*members.values(), *schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return all(is_strict(part) for part in inner)


def echoed(call: ToolCall, model: str) -> JsonMapping:
    """What `model` ("provider/name") wants told again with the call; nothing where another model made it."""
    return call.echo.get(model, {})


def error_in(told: object) -> ErrorInAnswer:
    """The error that an answer tells of: a text, or an object with a message and a code or type, or one around it."""
    if not isinstance(told, dict):
        return ErrorInAnswer(None, str(told))
    inner = told.get("error", told)
    if not isinstance(inner, dict):
        return ErrorInAnswer(told.get("code") or told.get("type"), str(inner))
    kinds = [inner.get(name) for name in ("code", "type") if inner.get(name) not in (None, "", "error")]
    named = [kind for kind in kinds if kind in failures.STATUS_OF_ERROR or isinstance(kind, int)]
    return ErrorInAnswer(
        next(iter([*named, *kinds]), None), str(inner.get("message") or msgspec.json.encode(inner).decode())
    )


def with_schema_in_words(system: str, schema: JsonMapping) -> str:
    """The system prompt for an endpoint that cannot be held to a schema: it is asked to keep it."""
    rule = "Answer with one JSON value and nothing else. It must be valid against this JSON Schema:"
    return "\n\n".join(part for part in (system, f"{rule}\n{msgspec.json.encode(schema).decode()}") if part)


def without_fence(text: str) -> str:
    """`text` without the Markdown fence some models put around JSON.

    >>> without_fence('```json\\n{"a": 1}\\n```')
    '{"a": 1}'
    """
    found = re.fullmatch(r"\s*```[a-zA-Z]*\n(.*)\n```\s*", text, re.DOTALL)
    return found[1] if found else text


def arguments_of(text: str, *, tool: str, model: str, at_limit: bool) -> dict[str, Any]:
    """The arguments of a tool call; some models say nothing at all when there are none.

    Raises:
        Failed: OUTPUT_INVALID when they are no JSON object.
    """
    if not text.strip():
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        hint = "; the answer ran into the output limit, raise maxOutputTokens" if at_limit else ""
        raise failed(
            "OUTPUT_INVALID", f"{model} called {tool} with arguments that are no JSON object: {error}{hint}"
        ) from error


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine, so that no proxy has a say in it.

    >>> is_loopback("http://127.0.0.1:11434/v1"), is_loopback("https://api.openai.com/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrapped(schema: JsonMapping) -> JsonMapping:
    # References of a schema begin at its root.
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    members = {_ANSWER: inner}
    return {"type": "object", "properties": members, "required": [_ANSWER], "additionalProperties": False, **shared}


def _sanitised(name: str) -> str:
    return _FOREIGN.sub("_", name)[:_MAX_NAME] or "_"

"""What both SDK adapters need to put our words on the wire: tool names, schemas in prose, arguments, local clients."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.failure import failed
from services.models.messages import AssistantMessage, JsonMapping, Request, ToolMessage

_MAX_NAME = 64
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


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


def _sanitised(name: str) -> str:
    return _FOREIGN.sub("_", name)[:_MAX_NAME] or "_"

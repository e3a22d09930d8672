"""Documents from text: JSON, or the core schema of YAML 1.2 without anchors, aliases or tags.

PyYAML reads YAML 1.1, where `on`, `no` and `1:30` are not strings; its resolvers are replaced by those of YAML 1.2
(§10.3.2). Aliases let a few bytes grow to gigabytes, so they are refused, as are tags.
"""

import json
import math
import re
from typing import Any

import msgspec
import yaml

from services.definitions.structure import pointer
from services.errors import Invalid
from services.json import Json
from services.problem import Problem

MAX_BYTES = 256 * 1024
# JSON is read a hundred times as fast.
MAX_JSON_BYTES = 1024 * 1024
# Steps may hold steps, eight deep, and each of these takes up to five lists and objects.
MAX_DEPTH = 64


def read(text: str | bytes) -> Json:
    """The JSON value that `text` stands for.

    >>> read("on: yes\\nport: 0o17\\nratio: 1e3\\nnothing: ~")
    {'on': 'yes', 'port': 15, 'ratio': 1000.0, 'nothing': None}

    Raises:
        Invalid: not YAML, larger than 256 KiB (as JSON 1 MiB), deeper than 64 levels, or with an anchor, an alias, a
            tag, a key that is not a string or a key that stands twice.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        decoded = raw.decode("utf-8") if len(raw) <= MAX_JSON_BYTES else ""
        if (found := _as_json(decoded)) is not None:
            return found
        if len(raw) > MAX_BYTES:
            most = f"up to {MAX_BYTES:,} are read, of JSON up to {MAX_JSON_BYTES:,}"
            raise Invalid(f"the document is {len(raw):,} bytes long; {most}")
        _refuse_aliases_and_depth(decoded)
        value: Json = yaml.load(decoded, _Loader)  # noqa: S506 - a SafeLoader with fewer types
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise Invalid("the document escapes half a character: \\ud800 to \\udfff stand for nothing alone") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"the document is not UTF-8 (byte {error.start})") from None
    except yaml.YAMLError as error:
        raise Invalid(f"the document is not YAML: {_where(error)}") from None
    return value


def _as_json(text: str) -> Json:
    """What `text` is as JSON; None when it is not, or has a fault that the reading as YAML will name.

    JSON is YAML, but PyYAML reads `\\ud83d\\ude00`, which is how JSON spells an emoji, as two halves of a character.
    """
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = msgspec.json.decode(text)
        json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        return None
    return None if is_deeper(value, MAX_DEPTH) else value


def _without_duplicates(pairs: list[tuple[str, Json]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")


def is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects are nested in `value` more than `levels` deep.

    >>> is_deeper([{"a": []}], 2), is_deeper([{"a": [1]}], 2)
    (False, True)
    """
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(members) and (levels == 0 or any(is_deeper(member, levels - 1) for member in members))


def _refuse_aliases_and_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("ALIAS", "anchors and aliases are not read; write the value out", event)
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
            raise _refused("TAG", f"the tag {event.tag} is not read; plain values only", event)  # type: ignore[attr-defined]
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _refused("TOO_DEEP", f"nested deeper than {MAX_DEPTH} levels", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refused(code: str, message: str, event: yaml.Event) -> Invalid:
    line = event.start_mark.line + 1 if event.start_mark else 0
    return Invalid("the document is not acceptable", [Problem(code=code, path="", message=f"line {line}: {message}")])


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the resolvers of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's protocol


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a string", key_node.start_mark)
        key = str(key_node.value)
        if key in result:
            message = f"the key {pointer(key)} stands twice"
            raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    value = node.value
    base = {"0o": 8, "0x": 16}.get(value[:2], 10)
    if len(value) > 400:
        raise yaml.constructor.ConstructorError(None, None, "the number is too long", node.start_mark)
    return int(value[2:] if base != 10 else value, base)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    word = node.value.lower().lstrip("+-")
    number = math.inf if word in (".inf", ".nan") else float(node.value)
    if not math.isfinite(number):
        raise yaml.constructor.ConstructorError(None, None, "JSON has no infinity and no NaN", node.start_mark)
    return number


_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_BOOLEAN = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"
for _tag, _pattern, _first in (
    (_BOOLEAN, r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    (_NULL, r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    (_INTEGER, r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        _FLOAT,
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor(_INTEGER, _integer)
_Loader.add_constructor(_FLOAT, _number)

"""Whether those who rely on one version of an orchestration may be given another: its inputs taken, its output kept.

Sound, and on the careful side: where it cannot be told, it counts as breaking, and says so.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from services.definitions.inclusion import Gap, gaps
from services.definitions.patch import value_at
from services.json import Json, JsonObject
from services.problem import Problem
from services.schema import problems_of_schema, problems_of_value

# With no others, defaults that are filled in cannot make an object unfit that fits without them.
_PLAIN = frozenset(
    {"$comment", "$defs", "$id", "$schema", "additionalProperties", "default", "description", "examples", "properties",
     "required", "title", "type"}
)  # fmt: skip
# A reference to what is not a definition: to the whole, maybe.
_ELSEWHERE = re.compile(rb'"\$(dynamicRef|recursiveRef)":|"\$ref":"(?!#/\$defs/)')


def breaking_changes(before: JsonObject, after: JsonObject) -> list[Problem]:
    """What breaks those who rely on the document `before` when `after` takes its place: each place of `after`, a JSON
    Pointer, where an input that was taken would be refused, or where less is promised of the output.

    >>> before, after = {"input": {"type": "object"}}, {"input": {"type": "object", "required": ["topic"]}}
    >>> [str(problem) for problem in breaking_changes(before, after)]
    ['/input/required: `topic` may be missing; an input that was taken would be refused']
    """
    of_input = [
        _problem(after, "/input", gap, "an input that was taken would be refused")
        for gap in input_gaps(_schema(before, "input"), _schema(after, "input"))
    ]
    of_output = [
        _problem(after, "/outputSchema", gap, "less would be promised of the output")
        for gap in gaps(_schema(after, "outputSchema"), _schema(before, "outputSchema"))
    ]
    return of_input + of_output


def input_gaps(before: Json, after: Json) -> list[Gap]:
    """What keeps inputs that `before` takes from being taken by `after`. Both fill in defaults before they judge."""
    old, new = _defaults(before), _defaults(after)
    # Without defaults, or with the same, both judge the same value.
    found = gaps(before, after) if _is_same(old, new) else None
    if found == [] or not isinstance(after, dict) or not _is_plain(after):
        return [Gap("", "it cannot be told what the defaults change")] if found is None else found
    # `after` may require what it fills in itself; what was filled in before, and is not now, may not be required.
    required: Any = after.get("required", [])
    missing = [name for name in required if name in old and name not in new]
    unfit = [name for name, value in new.items() if not _fits(after, name, value)]
    asked = {**after, "required": [name for name in required if name not in new and name not in old]}
    return [
        *gaps(before, asked),
        *(Gap("/required", f"`{name}` may be missing, and is not filled in any more") for name in missing),
        *(Gap(f"/properties/{name}/default", "the default does not fit") for name in unfit),
    ]


def _schema(document: JsonObject, name: str) -> Json:
    schema = document.get(name)
    return True if schema is None else schema


def _defaults(schema: Json) -> Mapping[str, Json]:
    """The defaults that an input is given, as `services.schema.with_defaults` has them."""
    properties: Any = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return {name: part["default"] for name, part in properties.items() if isinstance(part, dict) and "default" in part}


def _is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether nothing refuses a property for being there, and nothing but its own keywords looks at the whole."""
    return _PLAIN.issuperset(schema) and _ELSEWHERE.search(msgspec.json.encode(schema)) is None


def _is_same(old: Mapping[str, Json], new: Mapping[str, Json]) -> bool:
    return repr(sorted(old.items())) == repr(sorted(new.items()))  # to Python, 1 is True


def _fits(schema: Mapping[str, Any], name: str, value: Json) -> bool:
    """Whether a default fits the property; where that refers to others it cannot be told, and it does not."""
    part = {"$defs": schema.get("$defs", {}), "properties": {name: schema["properties"][name]}}
    return not problems_of_schema(part) and not problems_of_value(part, {name: value})


def _problem(after: JsonObject, member: str, gap: Gap, meaning: str) -> Problem:
    message = f"{gap.message}; {meaning}"
    return Problem(code="BREAKING_CHANGE", path=_nearest(after, member + gap.place), message=message)


def _nearest(document: JsonObject, path: str) -> str:
    """The place itself, or what is nearest above it in the document."""
    while path:
        try:
            value_at(document, path)
        except ValueError:
            path = path.rpartition("/")[0]
        else:
            return path
    return path

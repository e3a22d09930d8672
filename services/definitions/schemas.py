"""Is that a JSON Schema, and if not, what was meant?"""

from collections.abc import Iterator

from services.definitions.patch import Add, Operation, Remove, Replace, apply, below, value_at
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem
from services.schema import problems_of_schema

_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
# What other languages call them.
_SYNONYMS = {
    "int": "integer", "long": "integer", "float": "number", "double": "number", "decimal": "number", "str": "string",
    "text": "string", "bool": "boolean", "dict": "object", "map": "object", "list": "array", "none": "null",
}  # fmt: skip
_NAMED_BY_THE_WRITER = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def check_schema(schema: Json, path: str) -> list[Problem]:
    """What keeps `schema`, which stands at `path`, from being a JSON Schema, and what would mend it."""
    return [_mended(problem, schema, path) for problem in problems_of_schema(schema, path)]


def _mended(problem: Problem, schema: Json, path: str) -> Problem:
    place = problem.path.removeprefix(path)
    for patch in _candidates(schema, place):
        rest = problems_of_schema(apply(schema, patch), path)
        # Another fault that shows only now was there before; one here, or in what holds this, is the patch's own.
        if not any(problem.path.startswith(each.path) for each in rest):
            return Problem(code="SCHEMA_INVALID", path=problem.path, message=problem.message, patch=below(path, patch))
    return problem


def _candidates(schema: Json, place: str) -> Iterator[tuple[Operation, ...]]:
    """What may have been meant at `place`, the likeliest first."""
    try:
        value = value_at(schema, place)
    except ValueError:
        return  # the fault lies in what it refers to
    parent, _, keyword = place.rpartition("/")
    for near in _near(value):
        yield (Replace(path=place, value=near),)
    above, _, name = parent.rpartition("/")
    if keyword == "required" and isinstance(value, bool) and above.endswith("/properties"):
        # As older drafts had it: the property says itself that it is required.
        yield (Remove(path=place), *(_requiring(schema, above.removesuffix("/properties"), name) if value else ()))
    if place and parent.rpartition("/")[2] not in _NAMED_BY_THE_WRITER:
        yield (Remove(path=place),)


def _near(value: Json) -> Iterator[Json]:
    match value:
        case str():
            if type_ := _SYNONYMS.get(value.casefold()) or suggestion(value, _TYPES):
                yield type_
                yield {"type": type_}
            if value.lower() in ("true", "false"):
                yield value.lower() == "true"
            if value.strip().isdecimal() and len(value) < 16:
                yield int(value)
            yield [value]
        case dict():
            yield [value]
        case _:
            return


def _requiring(schema: Json, place: str, name: str) -> tuple[Operation, ...]:
    holder = value_at(schema, place)
    required = holder.get("required", []) if isinstance(holder, dict) else None
    name = name.replace("~1", "/").replace("~0", "~")
    if not isinstance(required, list) or name in required:
        return ()
    return (Add(path=place + "/required", value=[*required, name]),)

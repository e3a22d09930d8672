"""Gives half of the generated names and ids a meaning, so that the traffic also meets what is there."""

import json
import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zlib import crc32

import hypothesis
import schemathesis

# By the field that names it: what there is; nothing for who only looks at this file.
THERE: dict[str, list[str]] = json.loads(os.environ.get("ROLECALL_THERE", "{}"))


# Names get their meaning here, so none that is near to a good one is better than others: to climb there has no end.
hypothesis.target = lambda *_, **__: None


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """A body that names something names what exists, every other time."""
    return _with_meaning(body) if isinstance(body, dict) else body


@schemathesis.hook
def map_query(context: schemathesis.HookContext, query: Any) -> Any:
    """The same of an input in the query string, which is text by then."""
    if not isinstance(query, dict) or not isinstance(text := query.get("input"), str):
        return query
    try:
        input = json.loads(text)
    except ValueError:
        return query
    return {**query, "input": json.dumps(_with_meaning(input))} if isinstance(input, dict) else query


def _with_meaning(input: dict[str, Any]) -> dict[str, Any]:
    return {field: _meaning(value, field, THERE.get(field, ())) for field, value in input.items()}


def _meaning(value: Any, field: str, known: Sequence[str]) -> Any:
    # What is not even well-formed stays as it is: it is there to be refused.
    if not known or not isinstance(value, str) or not _could_name(field, value):
        return value
    number = crc32(value.encode("utf-8", "surrogatepass"))
    return known[number // 2 % len(known)] if number % 2 else value


def _could_name(field: str, value: str) -> bool:
    if field != "execution":
        return 1 <= len(value) <= 100
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False

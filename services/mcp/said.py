"""What an MCP server says of its tools, and the digest by which a change of that is recognised."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from services.json import JsonObject

MAX_TOOLS = 500
MAX_DESCRIPTION = 20_000
MAX_SCHEMA_BYTES = 64 * 1024
MAX_NAME = 59  # with the source's name and a dot, as long as a tool's name can be

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as its server lists it. All of it is the server's own word; models read the description."""

    name: str
    description: str
    input_schema: JsonObject
    annotations: JsonObject

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the name, the description, the schema and the annotations.

        >>> Said(name="now", description="", input_schema={}, annotations={}).digest[:19]
        'sha256:5b45a41c3df5'
        """
        parts = (self.name, self.description, self.input_schema, self.annotations)
        return "sha256:" + hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def usable(listed: Iterable[Any]) -> tuple[dict[str, Said], list[str]]:
    """The tools of an answer to `tools/list` that can be offered, by name; and why the others cannot."""
    found: dict[str, Said] = {}
    problems: list[str] = []
    for tool in listed:
        said = Said(
            name=tool.name,
            description=tool.description or "",
            input_schema=tool.input_schema,
            annotations=tool.annotations.model_dump(mode="json", by_alias=True, exclude_none=True)
            if tool.annotations
            else {},
        )
        if problem := _problem_of(said, found):
            problems.append(f"{said.name[:MAX_NAME]!r} is left out: {problem}")
        else:
            found[said.name] = said
    return found, problems


def _problem_of(said: Said, others: dict[str, Said]) -> str | None:
    if not _NAME.fullmatch(said.name) or len(said.name) > MAX_NAME:
        return f"a name has up to {MAX_NAME} letters, digits, _ and -, with single dots between"
    if said.name in others:
        return "another one has that name"
    if len(others) >= MAX_TOOLS:
        return f"a source has up to {MAX_TOOLS} tools"
    if len(said.description) > MAX_DESCRIPTION or "\0" in said.description:
        return f"a description has up to {MAX_DESCRIPTION:,} characters, and no NUL"
    size = len(msgspec.json.encode((said.input_schema, said.annotations)))
    if size > MAX_SCHEMA_BYTES:
        return f"its schema has {size:,} bytes; up to {MAX_SCHEMA_BYTES:,} are read"
    return None

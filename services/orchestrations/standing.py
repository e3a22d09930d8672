"""The active versions of many orchestrations at once, with their documents."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from db import tables
from services.definitions.document import Document
from services.definitions.rows import document_of
from services.errors import Conflict

_VERSIONS = (
    "SELECT orchestration.name, version.id, version.number, version.document FROM orchestration"
    " JOIN orchestration_version AS version ON version.id = active_version_id WHERE"
)
_STEPS = "SELECT * FROM orchestration_step WHERE version_id = ANY({})"
_JSON = ("condition", "input_mapping", "output_mapping", "config")


class Standing(NamedTuple):
    """What executions of an orchestration start from."""

    name: str
    number: int
    document: Document


async def active_documents(tags: Collection[str] = ()) -> list[Standing]:
    """Of every orchestration that can be started and does not expire, by name; those that have every one of `tags`.

    Raises:
        Conflict: somebody has written rows that no document can be read from.
    """
    return await _standing(f"{_VERSIONS} is_active AND version.expires_at IS NULL AND tags @> {{}}", list(tags))


async def documents_of(names: Collection[str]) -> list[Standing]:
    """Of those with these names that have an active version, also where they are switched off.

    Raises:
        Conflict: somebody has written rows that no document can be read from.
    """
    return await _standing(f"{_VERSIONS} orchestration.name = ANY({{}})", list(names))


async def _standing(query: str, values: list[str]) -> list[Standing]:
    # Through Piccolo, so that a transaction around this is one for all of it.
    versions = await tables.OrchestrationVersion.raw(query, values)
    steps: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await tables.OrchestrationStep.raw(_STEPS, [version["id"] for version in versions]):
        steps[row["version_id"]].append({**row, **{name: _decoded(row[name]) for name in _JSON}})
    found = [Standing(row["name"], row["number"], _document_of(row, steps[row["id"]])) for row in versions]
    return sorted(found)


def _document_of(version: dict[str, Any], steps: list[dict[str, Any]]) -> Document:
    try:
        return document_of(msgspec.json.decode(version["document"]), steps)
    except (ValueError, msgspec.ValidationError) as error:
        state = f"has rows in its version {version['number']} that no document can be read from ({error})"
        allowed = "rows as documents are written to"
        raise Conflict("orchestration", version["name"], state=state, allowed=allowed) from None


def _decoded(value: str | None) -> Any:
    return None if value is None else msgspec.json.decode(value)

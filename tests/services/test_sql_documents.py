"""What the functions of the schema `rolecall` say of a version is what the services say of it."""

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings

from db.connection import Database
from services import orchestrations
from services.caller import OPERATOR
from services.definitions.diff import Change
from services.definitions.diff import diff as changes_between
from services.definitions.document import Document, as_json
from services.definitions.read import read_document
from services.json import Json
from tests.definitions.documents import CATALOG, documents
from tests.examples.example import ALL

_DRAFT = "SELECT rolecall.definition($1::uuid)"
_DIFF = "SELECT step, change, field, old, new FROM rolecall.diff($1::uuid, $2::uuid)"


async def test_a_definition_is_the_document_of_its_version(opened: Database) -> None:
    for document in (*_random(60), *_of_examples()):
        version = await _drafted(document)

        assert await _value(opened, _DRAFT, version.id) == as_json(version.document)


async def test_a_definition_reads_as_the_document_whatever_was_edited(opened: Database) -> None:
    for document in _random(20):
        version = await _drafted(document)
        await opened.pool.execute(
            "UPDATE orchestration_step SET max_retries = 3, retry_delay_ms = 1000, timeout_ms = NULL,"
            ' config = \'{"retry": {}, "onError": "fail"}\' || config WHERE version_id = $1',
            version.id,
        )
        read = await orchestrations.document(version.id)

        assert msgspec.convert(await _value(opened, _DRAFT, version.id), Document) == msgspec.convert(
            as_json(read), Document
        )


async def test_a_diff_is_that_of_the_services(opened: Database) -> None:
    versions = [await _drafted(document) for document in _random(50)]
    for before, after in pairwise(versions):
        expected = changes_between(before.document, after.document)

        told = [tuple(row) for row in await opened.pool.fetch(_DIFF, before.id, after.id)]

        assert sorted(map(_told, told), key=repr) == sorted(map(_said, expected), key=repr)
        assert await opened.pool.fetch(_DIFF, after.id, after.id) == []


async def test_two_hundred_steps_that_all_moved_are_compared_soon(opened: Database) -> None:
    steps = [{"name": f"S{n}", "kind": "transform", "inputMapping": {}} for n in range(200)]
    forth = await _drafted_json({"name": "long", "steps": steps})
    back = await _drafted_json({"name": "long", "steps": steps[::-1]})

    async with asyncio.timeout(10):
        told = await opened.pool.fetch(_DIFF, forth.id, back.id)

    assert [row["change"] for row in told] == ["moved"] * 199 + ["changed"]


def _random(number: int) -> list[Document]:
    found: list[Document] = []

    @settings(max_examples=number)
    @given(documents())
    def collect(document: Document) -> None:
        found.append(document)

    collect()
    return found


def _of_examples() -> list[Document]:
    read = [read_document(each, CATALOG).document for example in ALL for each in example.bundle["orchestrations"]]
    return [document for document in read if document is not None]


async def _drafted(document: Document) -> orchestrations.Version:
    return await _drafted_json(as_json(document))


async def _drafted_json(document: Json) -> orchestrations.Version:
    page = await orchestrations.list_(OPERATOR)
    orchestration = page.items[0].name if page.items else None
    return await orchestrations.draft(OPERATOR, document=document, orchestration=orchestration)


async def _value(database: Database, query: str, version: UUID) -> Any:
    return msgspec.json.decode(await database.pool.fetchval(query, version))


def _said(change: Change) -> tuple[Any, ...]:
    values = (change.before, change.after)
    if change.what == "added":
        values = (None, change.after)
    return change.step, change.what, change.field, *map(_canonical, values)


def _told(row: tuple[Any, ...]) -> tuple[Any, ...]:
    step, change, field, old, new = row
    values = (None if value is None else msgspec.json.decode(value) for value in (old, new))
    return step, change, field, *map(_canonical, values)


def _canonical(value: Json) -> bytes:
    return msgspec.json.encode(value, order="sorted")

"""What is exported and imported is exported the same, byte by byte, and importing it again changes nothing."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import get_args
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings

import meta_tools
from db.connection import Database
from services import bundles, catalog, connections, roles
from services.bundles import BundleRole, Exported, Format
from services.bundles.reading import documents_in
from services.caller import OPERATOR
from services.definitions.document import KINDS, Document
from services.definitions.rows import document_of, document_row, step_rows
from services.tools import files, registry
from tests.bundles.definitions import definitions, sample
from tests.conftest import CopyOf
from tests.definitions.documents import CATALOG

EXAMPLES = {path.stem: path.read_text("utf-8") for path in sorted(Path("examples").rglob("*.yaml"))}
_JSON = ("condition", "input_mapping", "output_mapping", "config")


@pytest.mark.timeout(600)
@settings(max_examples=1_000)
@given(definitions())
def test_rows_documents_and_texts_say_the_same(definition: tuple[BundleRole, Document]) -> None:
    role, document = definition
    first = bundles.text_of([role], [_through_rows(document)])

    read = bundles.read(first)
    (again,) = documents_in(read, CATALOG)

    assert read.problems == ()
    assert bundles.text_of(read.roles.values(), [_through_rows(again)]) == first


def _through_rows(document: Document) -> Document:
    numbers = count(1)
    rows = step_rows(document, CATALOG.roles, lambda: UUID(int=next(numbers)))
    kept = [{**row, **{name: _decoded(row[name]) for name in _JSON}} for row in rows]
    return document_of(msgspec.json.decode(msgspec.json.encode(document_row(document))), kept)


def _decoded(text: str | None) -> object:
    return None if text is None else msgspec.json.decode(text)


@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_comes_back_as_it_went(
    copy_of: CopyOf, template: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One of them is ahead of this server.
    monkeypatch.setattr(catalog, "KINDS", frozenset(KINDS))
    bundle = bundles.read(EXAMPLES[example])
    async with fresh(copy_of, template):
        await bundles.load(OPERATOR, bundle)
        first = [await bundles.export(OPERATOR, format=format) for format in get_args(Format)]
    async with fresh(copy_of, template):
        made = await bundles.import_(OPERATOR, text=first[0].text)
        second = [await bundles.export(OPERATOR, format=format) for format in get_args(Format)]
        again = [await bundles.import_(OPERATOR, text=it.text) for it in second]
        as_it_was = await bundles.load(OPERATOR, bundle)

    assert second == first
    assert {raw["name"] for raw in bundle.orchestrations.values()} == set(first[0].orchestrations)
    assert {item.outcome for item in made.items} == {"created"}
    assert {item.outcome for loaded in (*again, as_it_was) for item in loaded.items} == {"unchanged"}


@pytest.mark.timeout(0)
async def test_random_definitions_come_back_as_they_went(copy_of: CopyOf, template: str) -> None:
    found = sample(int(os.environ.get("ROLECALL_ROUND_TRIPS", "25")))
    for start in range(0, len(found), 100):  # each import looks at all that is there
        await come_back(copy_of, template, found[start : start + 100])


async def come_back(copy_of: CopyOf, template: str, found: list[tuple[BundleRole, Document]]) -> None:
    """Out of a database, into an empty one and out again; and what was written there in the first place is the same."""
    written = [bundles.text_of([role], [document]) for role, document in found]
    async with fresh(copy_of, template, called=3):
        for text in written:
            await bundles.import_(OPERATOR, text=text)
        first = [await exported(role, document) for role, document in found]
    async with fresh(copy_of, template, called=3):
        for it in first:
            await bundles.import_(OPERATOR, text=it.text)
        second = [await exported(role, document) for role, document in found]
        for text in written:
            again = await bundles.import_(OPERATOR, text=text)
            assert {item.outcome for item in again.items} == {"unchanged"}

    assert second == first


async def exported(role: BundleRole, document: Document) -> Exported:
    return await bundles.export(OPERATOR, names=(document.name,), role_names=(role.name,))


@asynccontextmanager
async def fresh(copy_of: CopyOf, template: str, *, called: int = 0) -> AsyncIterator[None]:
    """An empty database, or one with what random documents name: two roles, and `called` versions of `Other`."""
    async with copy_of(template) as url, await Database.open(url) as database:
        registry.register(*files.tools(None))
        meta_tools.install()
        connections.use(database, None)
        for name in CATALOG.roles if called else ():
            await roles.create(OPERATOR, name=name, base_prompt="")
        for number in range(called):
            step = {"name": "Say", "kind": "transform", "inputMapping": {"version": number}}
            other = bundles.read(msgspec.json.encode({"name": "Other", "steps": [step]}))
            await bundles.load(OPERATOR, other)
        yield
        connections.use(None, None)

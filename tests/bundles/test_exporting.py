"""Exports: what is named, what that needs, and how it reads."""

from typing import Any

import pytest

from db.connection import Database
from services import bundles, orchestrations, roles
from services.bundles import alone
from services.bundles.folder import folded_path
from services.bundles.pulling import changes_to
from services.bundles.records import BundleRole, Contents
from services.caller import OPERATOR
from services.definitions.catalog import Catalog
from services.definitions.document import Document, Step
from services.definitions.yaml12 import MAX_BYTES
from services.errors import Conflict, Invalid, NotFound
from services.roles import RoleChanges

BUNDLE = """\
roles:
  - {name: Unused, basePrompt: ""}
  - {name: Writer, basePrompt: Writes., outputSchema: {properties: {b: {}, a: {type: string}}, type: object}}
orchestrations:
  - name: part
    tags: [inner]
    steps: [{name: Write, kind: llm, roleName: Writer, condition: {value: 1, operator: ">", field: input.n}}]
  - name: book
    tags: [outer, long]
    steps:
      - {name: One, kind: orchestration, orchestration: part}
      - {order: 7, name: Two, parallelGroup: both, kind: orchestration, orchestration: part}
      - {order: 7, name: Three, parallelGroup: both, kind: transform, inputMapping: {z: 1, a: "yes"}}
"""
BOOK = """\
rolecall: 1
roles:
  - name: Writer
    basePrompt: Writes.
    outputSchema:
      type: object
      properties: {a: {type: string}, b: {}}
orchestrations:
  - name: book
    tags: [outer, long]
    steps:
      - {name: One, kind: orchestration, order: 0, orchestration: part}
      - {name: Three, kind: transform, order: 7, parallelGroup: both, inputMapping: {a: yes, z: 1}}
      - {name: Two, kind: orchestration, order: 7, parallelGroup: both, orchestration: part}
  - name: part
    tags: [inner]
    steps:
      - {name: Write, kind: llm, roleName: Writer, condition: {field: input.n, operator: ">", value: 1}}
"""


@pytest.fixture(autouse=True)
async def loaded(opened: Database) -> Database:
    await bundles.load(OPERATOR, bundles.read(BUNDLE))
    return opened


async def test_it_reads_as_somebody_would_have_written_it() -> None:
    assert (await bundles.export(OPERATOR, names=("book",))).text == BOOK


@pytest.mark.parametrize(
    ("asked", "its_roles", "its_orchestrations"),
    [
        ({}, ("Unused", "Writer"), ("book", "part")),
        ({"names": ("part",)}, ("Writer",), ("part",)),
        ({"names": ("book",), "with_roles": False}, (), ("book", "part")),
        ({"with_roles": False}, (), ("book", "part")),
        ({"tags": ("outer", "long")}, ("Writer",), ("book", "part")),
        ({"tags": ("outer", "inner")}, (), ()),
        ({"role_names": ("Unused",)}, ("Unused",), ()),
        ({"names": ("part",), "tags": ("long",), "role_names": ("Unused",)}, ("Unused", "Writer"), ("book", "part")),
    ],
)
async def test_what_is_named_comes_with_what_it_needs(
    asked: dict[str, Any], its_roles: tuple[str, ...], its_orchestrations: tuple[str, ...]
) -> None:
    found = await bundles.export(OPERATOR, **asked)

    assert (found.roles, found.orchestrations, found.missing) == (its_roles, its_orchestrations, ())


async def test_what_is_switched_off_comes_only_when_it_is_named_or_needed() -> None:
    await orchestrations.update(OPERATOR, orchestration="part", is_active=False)
    await roles.update(OPERATOR, role="Writer", changes=RoleChanges(is_active=False))

    assert (await bundles.export(OPERATOR, tags=("inner",))).orchestrations == ()
    assert (await bundles.export(OPERATOR, names=("part",))).roles == ("Writer",)
    assert (await bundles.export(OPERATOR)).orchestrations == ("book", "part")


async def test_a_version_is_exported_as_it_was() -> None:
    steps = [{"name": "Other", "kind": "transform", "inputMapping": {}}]
    await orchestrations.update(OPERATOR, orchestration="part", changes={"steps": steps})

    assert "Write" in (await bundles.export(OPERATOR, names=("part",), version=1)).text
    assert "Other" in (await bundles.export(OPERATOR, names=("part",))).text


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"names": ("none",)}, NotFound),
        ({"role_names": ("none",)}, NotFound),
        ({"names": ("part",), "version": 9}, NotFound),
        ({"names": ("drafted",)}, Conflict),
        ({"version": 1}, Invalid),
        ({"names": ("part", "book"), "version": 1}, Invalid),
    ],
)
async def test_what_is_not_there_is_said(asked: dict[str, Any], refusal: type[Exception]) -> None:
    step = {"name": "A", "kind": "transform", "inputMapping": {}}
    await orchestrations.draft(OPERATOR, document={"name": "drafted", "steps": [step]})

    with pytest.raises(refusal):
        await bundles.export(OPERATOR, **asked)


async def test_a_text_that_nobody_could_import_is_refused() -> None:
    for number in range(3):
        await roles.create(OPERATOR, name=f"Long{number}", base_prompt="x" * 100_000)

    with pytest.raises(Invalid, match="up to 262,144 are imported; name fewer, or take it as JSON"):
        await bundles.export(OPERATOR)

    assert (await bundles.export(OPERATOR, format="json")).roles[:3] == ("Long0", "Long1", "Long2")


def test_each_new_file_has_a_name_of_its_own_on_every_file_system() -> None:
    names = ("Aux", "Reader", "reader", "READER", "aux.md")
    step = Step(name="A", kind="transform", input_mapping={"text": "\n".join(["é" * 90_000] * 2)})
    contents = Contents(
        {name: BundleRole(name=name, base_prompt="") for name in names},
        {"long": Document(name="long", steps=(step,))},
    )

    changes = changes_to({}, contents, Catalog(), prune=True)

    paths = [change.path for change in changes]
    assert len({folded_path(path) for path in paths}) == len(paths) == 6
    assert paths[1] == "roles/Reader.yaml"
    assert all("~" in path for path in paths[:1] + paths[2:5])
    assert paths[5] == "orchestrations/long.json"
    assert len(alone(contents.documents["long"]).encode()) > MAX_BYTES
    assert all(bundles.read(change.text or "").problems == () for change in changes)

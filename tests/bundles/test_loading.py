"""Bundles: what a file says is what is there afterwards, all of it or nothing, and only what changed is new."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.connection import Database
from services import bundles, connections, orchestrations, roles
from services.bundles import Bundle, Loaded
from services.caller import OPERATOR
from services.errors import Invalid
from services.tools import files, registry

EXAMPLE = Path("examples/research-brief.yaml").read_text()


@pytest.fixture
async def opened(database: Database) -> AsyncIterator[Database]:
    registry.register(*files.tools(None))
    connections.use(database, None)
    yield database
    connections.use(None, None)


async def test_loading_a_file_twice_changes_nothing(opened: Database) -> None:
    bundle = bundles.read(EXAMPLE)

    first = await bundles.load(OPERATOR, bundle)
    second = await bundles.load(OPERATOR, bundle)

    assert (second.roles, second.orchestrations) == (first.roles, first.orchestrations)
    assert {item.outcome for item in first.items} == {"created"}
    assert {item.outcome for item in second.items} == {"unchanged"}
    assert [(role.name, role.version) for role in first.roles] == [
        ("Reader", 1),
        ("Synthesiser", 1),
        ("Reviewer", 1),
        ("Editor", 1),
    ]
    assert [(it.name, it.version) for it in first.orchestrations] == [("research-brief", 1)]


async def test_what_was_loaded_loads_again_from_its_own_documents(opened: Database) -> None:
    first = await bundles.load(OPERATOR, bundles.read(EXAMPLE))

    again = await bundles.load(OPERATOR, bundles.read(written(first)))

    assert (again.roles, again.orchestrations) == (first.roles, first.orchestrations)


async def test_only_what_changed_gets_a_new_version(opened: Database) -> None:
    await bundles.load(OPERATOR, sample())

    other_prompt = await bundles.load(OPERATOR, sample(prompt="Read twice."))
    other_step = await bundles.load(OPERATOR, sample(prompt="Read twice.", step="Look"))

    assert versions(other_prompt) == (2, 1)
    assert versions(other_step) == (2, 2)


async def test_what_a_file_leaves_out_goes_back_to_its_default(opened: Database) -> None:
    await bundles.load(OPERATOR, sample(description="Reads."))

    loaded = await bundles.load(OPERATOR, sample())

    assert (loaded.roles[0].description, loaded.roles[0].version) == ("", 2)


async def test_a_bundle_with_a_problem_leaves_nothing_behind(opened: Database) -> None:
    with pytest.raises(Invalid) as refused:
        await bundles.load(OPERATOR, sample(role="Raeder"))

    assert [(it.code, it.path, it.suggestion) for it in refused.value.problems] == [
        ("UNKNOWN_ROLE", "/orchestrations/0/steps/0/roleName", "Reader")
    ]
    assert (await roles.list_(OPERATOR)).items == []
    assert (await orchestrations.list_(OPERATOR)).items == []


async def test_a_document_alone_is_checked_with_paths_of_its_own(opened: Database) -> None:
    bundle = bundles.read("name: alone\nsteps:\n  - {name: Read, roleName: Reader}\n")

    problems = await bundles.check(OPERATOR, bundle)

    assert [(it.code, it.path) for it in problems] == [("UNKNOWN_ROLE", "/steps/0/roleName")]


async def test_a_role_that_cannot_be_read_is_still_known_to_the_documents(opened: Database) -> None:
    bundle = read_object(
        {
            "roles": [{"name": "Reader", "basePrompt": 7}],
            "orchestrations": [{"name": "a", "steps": [{"name": "Read", "roleName": "Reader"}]}],
        }
    )

    problems = await bundles.check(OPERATOR, bundle)

    assert [(it.code, it.path) for it in problems] == [("WRONG_VALUE", "/roles/0/basePrompt")]


def test_every_problem_of_the_structure_is_found_at_once() -> None:
    bundle = read_object(
        {
            "rolecall": 2,
            "orchestration": [],
            "roles": [
                {"name": "Reader", "basePrompt": "Read.", "parameters": {"temprature": 1}},
                {"name": "Reader", "basePrompt": "Read."},
                "Writer",
            ],
        }
    )

    assert sorted((it.code, it.path, it.suggestion) for it in bundle.problems) == [
        ("DUPLICATE_NAME", "/roles/1/name", None),
        ("UNKNOWN_FIELD", "/orchestration", "orchestrations"),
        ("UNKNOWN_FIELD", "/roles/0/parameters/temprature", "temperature"),
        ("WRONG_VALUE", "/rolecall", None),
        ("WRONG_VALUE", "/roles/2", None),
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("abc: -", max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["rolecall", "roles", "orchestrations", "name", "basePrompt"]), inner)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_bundle_or_has_problems(value: Any) -> None:
    bundle = read_object(value)

    assert bundle.problems or isinstance(value, dict)
    if not bundle.problems:
        assert len(bundle.roles) == len(value.get("roles", []))
        assert list(bundle.orchestrations.values()) == value.get("orchestrations", [])


def read_object(value: Any) -> Bundle:
    return bundles.read(msgspec.json.encode(value))


def sample(
    *, prompt: str = "Read.", description: str | None = None, role: str = "Reader", step: str = "Read"
) -> Bundle:
    """One role and one orchestration of one step."""
    said = {} if description is None else {"description": description}
    return read_object(
        {
            "roles": [{"name": "Reader", "basePrompt": prompt, **said}],
            "orchestrations": [{"name": "sample", "steps": [{"name": step, "kind": "llm", "roleName": role}]}],
        }
    )


def written(loaded: Loaded) -> bytes:
    """What was loaded, as a file."""
    fields = bundles.BundleRole.__struct_encode_fields__
    return msgspec.json.encode(
        {
            "rolecall": 1,
            "roles": [
                {name: value for name, value in msgspec.to_builtins(role).items() if name in fields}
                for role in loaded.roles
            ],
            "orchestrations": [it.document for it in loaded.orchestrations],
        }
    )


def versions(loaded: Loaded) -> tuple[int, int | None]:
    return loaded.roles[0].version, loaded.orchestrations[0].version

"""Bundles: what a file says is what is there afterwards, all of it or nothing, and only what changed is new."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.connection import Database
from services import bundles, expiry, orchestrations, roles
from services.bundles import Bundle, Loaded
from services.caller import OPERATOR, Caller
from services.definitions.diff import Change
from services.definitions.document import Document, Step, as_json
from services.errors import Conflict, Forbidden, Invalid
from services.principal import NOT_FOR_AGENTS, SCOPES, Principal, Scope
from services.roles import RoleChanges

EXAMPLE = Path("examples/research-brief.yaml").read_text()


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


async def test_what_a_document_leaves_out_goes_back_to_its_default_too(opened: Database) -> None:
    step = {"name": "A", "kind": "transform", "inputMapping": {"a": 1}}
    whole = {
        "name": "flow", "description": "All.", "tags": ["old"], "limits": {"maxTokens": 5}, "steps": [step],
        "finally": [{**step, "name": "B"}], "output": {"a": 1},
    }  # fmt: skip
    await bundles.load(OPERATOR, read_object(whole))

    loaded = await bundles.load(OPERATOR, read_object({"name": "flow", "steps": [step]}), breaking=True)
    again = await bundles.load(OPERATOR, read_object({"name": "flow", "steps": [step]}))

    plain = Document(name="flow", steps=(Step(name="A", kind="transform", input_mapping={"a": 1}),))
    assert as_json(loaded.orchestrations[0].document) == as_json(plain)
    assert loaded.orchestrations[0].version == again.orchestrations[0].version == 2


async def test_what_a_bundle_holds_is_switched_on(opened: Database) -> None:
    await bundles.load(OPERATOR, sample())
    await orchestrations.update(OPERATOR, orchestration="sample", is_active=False)
    await roles.update(OPERATOR, role="Reader", changes=RoleChanges(is_active=False))

    loaded = await bundles.load(OPERATOR, sample())

    on = Change(what="changed", field="isActive", before=False, after=True)
    assert [(item.outcome, item.version, item.changes) for item in loaded.items] == [("updated", 1, (on,))] * 2
    assert loaded.roles[0].is_active
    assert loaded.orchestrations[0].is_active


async def test_an_orchestration_of_which_nothing_is_active_gets_a_version_that_is(opened: Database) -> None:
    step = {"name": "A", "kind": "transform", "inputMapping": {"a": 1}}
    await orchestrations.draft(OPERATOR, document={"name": "flow", "steps": [{**step, "name": "Draft"}]})

    loaded = await bundles.load(OPERATOR, read_object({"name": "flow", "steps": [step]}))

    assert [(item.outcome, item.version) for item in loaded.items] == [("updated", 2)]


async def test_a_dry_run_says_what_would_happen_and_leaves_nothing(opened: Database) -> None:
    await bundles.load(OPERATOR, sample())
    before = await roles.get(OPERATOR, role="Reader")

    tried = await bundles.load(OPERATOR, sample(prompt="Read twice.", step="Look"), dry_run=True)

    assert [(item.outcome, item.version) for item in tried.items] == [("updated", 2), ("updated", 2)]
    assert await roles.get(OPERATOR, role="Reader") == before
    assert (await orchestrations.get(OPERATOR, orchestration="sample")).version == 1
    done = await bundles.load(OPERATOR, sample(prompt="Read twice.", step="Look"))
    assert done.items == tried.items


async def test_of_two_loads_at_once_one_finds_what_the_other_has_made(opened: Database) -> None:
    both = await asyncio.gather(*(bundles.load(OPERATOR, sample()) for _ in range(2)))

    assert sorted({item.outcome for item in loaded.items} == {"created"} for loaded in both) == [False, True]
    assert [it.roles for it in both] == [both[0].roles] * 2


async def test_who_may_not_change_roles_may_import_what_leaves_them(opened: Database) -> None:
    scopes: tuple[Scope, ...] = ("orchestrations.read", "orchestrations.write", "roles.read")
    author = Caller(Principal(kind="service", name="author", scopes=scopes))
    await bundles.load(OPERATOR, sample())
    text = text_of_sample()

    done = await bundles.import_(author, text=text.replace("name: Read\n", "name: Look\n"))
    with pytest.raises(Forbidden, match=r"this needs roles\.write"):
        await bundles.import_(author, text=text.replace("basePrompt: Read.", "basePrompt: Reads."), dry_run=True)

    assert [item.outcome for item in done.items] == ["unchanged", "updated"]
    assert [change.what for change in done.items[1].changes] == ["removed", "added"]


async def test_an_import_is_done_once_for_a_key(opened: Database) -> None:
    text = text_of_sample()
    tried = await bundles.import_(OPERATOR, text=text, dry_run=True, idempotency_key="tried")
    first = await bundles.import_(OPERATOR, text=text, idempotency_key="a")
    again = await bundles.import_(OPERATOR, text=text, idempotency_key="a")

    assert tried.items == first.items == again.items
    assert {item.outcome for item in again.items} == {"created"}
    with pytest.raises(Conflict, match="was used for another request"):
        await bundles.import_(OPERATOR, text=text + "\n", idempotency_key="a")


async def test_what_agents_have_made_expires_unless_a_person_loads_it(opened: Database) -> None:
    expiry.use(1)
    try:
        scopes = tuple(scope for scope in SCOPES if scope not in NOT_FOR_AGENTS)
        await bundles.load(Caller(Principal(kind="agent", name="scout", scopes=scopes)), sample())
    finally:
        expiry.use(None)
    service = Caller(Principal(kind="service", name="ci", scopes=SCOPES))

    left = await bundles.load(service, sample(), missing="keep")
    nothing = await bundles.load(service, read_object({"roles": []}), missing="switch_off")
    exported = await bundles.export(OPERATOR)
    kept = await bundles.load(OPERATOR, sample())

    assert {item.outcome for item in left.items} == {"unchanged"}
    assert (nothing.items, exported.roles, exported.orchestrations) == ((), (), ())
    assert [[change.field for change in item.changes] for item in kept.items] == [["expiresAt"], ["expiresAt"]]
    assert (await bundles.export(OPERATOR)).orchestrations == ("sample",)


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


def text_of_sample() -> str:
    bundle = sample()
    documents = [
        Document(name="sample", steps=(Step(name="Read", kind="llm", role_name="Reader", prompt="Go on.\n" * 9),))
    ]
    return bundles.text_of(bundle.roles.values(), documents)


def versions(loaded: Loaded) -> tuple[int, int | None]:
    return loaded.roles[0].version, loaded.orchestrations[0].version

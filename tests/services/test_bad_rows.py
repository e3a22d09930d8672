"""What an administrator has written into rows disables those rows and nothing else, and is named."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from db.connection import Database
from services import bundles, executions, orchestrations, roles
from services.caller import OPERATOR
from services.definitions.document import Step
from services.engine.performer import Attempt
from services.errors import Conflict, Invalid
from services.executions import Execution
from services.failure import Failed
from services.models.catalog import Models
from services.models.selection import ModelConstraints
from services.roles import RoleChanges
from services.steps import llm
from services.steps import orchestration as orchestration_step
from tests.role_versions import newest_version

ASKS = [{"name": "Ask", "kind": "llm", "roleName": "Reader"}]
WAITS = [{"name": "Wait", "kind": "wait", "event": "paid"}]
OWN = "UPDATE execution SET status = 'running', owner = $2, epoch = 1, available_at = NULL WHERE id = $1"
# What a server does to be let through, by somebody else.
MARK = "SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true)"
PUBLISH = """
UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('0', 64), max_step_runs = 1,
  published_at = now() WHERE id = $1
"""
ACTIVATE = """
UPDATE orchestration SET active_version_id = version.id FROM orchestration_version AS version
WHERE orchestration.id = orchestration_id AND version.id = $1
"""


async def of_role(opened: Database, changes: str) -> roles.Role:
    """The role Reader after somebody has written that into its row."""
    await opened.pool.execute(f"UPDATE role SET {changes} WHERE name = 'Reader'")
    return await roles.get(OPERATOR, role="Reader")


async def made(name: str, steps: list[dict[str, Any]]) -> orchestrations.Orchestration:
    return await orchestrations.create(OPERATOR, document={"name": name, "steps": steps})


async def published_by_hand(opened: Database, version: UUID) -> None:
    async with opened.pool.acquire() as connection, connection.transaction():
        await connection.execute(MARK)
        await connection.execute(PUBLISH, version)
        await connection.execute(ACTIVATE, version)


async def running(opened: Database) -> Execution:
    """An execution that somebody else's worker has taken up, and that waits."""
    await made("waits", WAITS)
    started = await executions.start(OPERATOR, orchestration="waits")
    worker = uuid4()
    await opened.pool.execute("INSERT INTO worker (id, name) VALUES ($1, 'another')", worker)
    await opened.pool.execute(OWN, started.id, worker)
    return started


async def unkept(_: Any) -> None:
    """Nothing is kept of what never begins."""


def attempt(step: Step, *, role: UUID | None = None, called: UUID | None = None) -> Attempt:
    return Attempt(
        execution=uuid4(),
        path=step.name,
        step=step,
        number=1,
        input={},
        timeout_ms=1_000,
        idempotency_key="key",
        role_version=role,
        called=called,
        initiator=OPERATOR.principal,
        notes=[],
        keep=unkept,
        emit=str,
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ("""model = '{"preferred": 7}'""", ("WRONG_VALUE", "/model/preferred")),
        ("""model = '{"capabilities": ["fly"]}'""", ("WRONG_VALUE", "/model/capabilities/0")),
        ("""model = '{"colour": "red"}'""", ("UNKNOWN_FIELD", "/model/colour")),
        ("""parameters = '{"temperature": 1e300}'""", ("WRONG_VALUE", "/parameters/temperature")),
        ("""output_schema = '{"type": "objekt"}'""", ("SCHEMA_INVALID", "/outputSchema/type")),
        ("tools = '{no.such.tool}'", ("UNKNOWN_TOOL", "/tools/0")),
    ],
)
async def test_a_role_names_what_is_wrong_with_its_row_and_is_not_used(
    opened: Database, changes: str, problem: tuple[str, str]
) -> None:
    await made("asks", ASKS)

    role = await of_role(opened, changes)

    assert [(found.code, found.path) for found in role.problems] == [problem]
    assert (await roles.list_(OPERATOR)).items[0] == role
    assert (await roles.versions(OPERATOR, role="Reader")).items[0].problems == role.problems
    with pytest.raises(Conflict, match="'Reader' has problems at version 2") as refusal:
        await executions.start(OPERATOR, orchestration="asks")
    assert refusal.value.problems == role.problems


async def test_what_can_be_read_of_a_role_has_its_value(opened: Database) -> None:
    role = await of_role(
        opened, """model = '{"preferred": ["offline"], "capabilities": "all"}', tools = '{files.read}'"""
    )

    assert role.model == ModelConstraints(preferred=("offline",))
    assert role.tools == ("files.read",)


async def test_a_bad_role_is_mended_by_an_update_and_then_used(opened: Database) -> None:
    await made("asks", ASKS)
    await of_role(opened, """model = '{"preferred": 7}'""")

    mended = await roles.update(OPERATOR, role="Reader", changes=RoleChanges(model=ModelConstraints()))

    assert mended.problems == ()
    await executions.start(OPERATOR, orchestration="asks")


async def test_a_bad_content_of_earlier_does_not_come_back(opened: Database) -> None:
    await of_role(opened, """model = '{"preferred": 7}'""")
    await of_role(opened, "model = '{}'")

    with pytest.raises(Invalid) as refusal:
        await roles.rollback(OPERATOR, role="Reader", number=2)

    assert [problem.path for problem in refusal.value.problems] == ["/model/preferred"]


async def test_a_bad_role_is_not_assigned_and_not_called_either(opened: Database) -> None:
    await made("asks", ASKS)
    await made("writes", [{"name": "Write", "kind": "llm", "roleName": "Writer"}])
    await made("calls", [{"name": "Call", "kind": "orchestration", "orchestration": "asks"}])
    await of_role(opened, """parameters = '{"temperature": "hot"}'""")

    for name, assigned in (("writes", {"Write": "Reader"}), ("calls", {})):
        with pytest.raises(Conflict, match="'Reader' has problems"):
            await executions.start(OPERATOR, orchestration=name, role_assignments=assigned)
    await executions.start(OPERATOR, orchestration="writes")


async def test_a_step_in_a_bad_role_fails_and_says_so(opened: Database) -> None:
    await of_role(opened, """model = '{"preferred": 7}'""")

    for version, code in ((await newest_version("Reader"), "ROLE_INVALID"), (uuid4(), "ROLE_NOT_FOUND")):
        with pytest.raises(Failed) as raised:
            await llm.perform(Models({}, []), attempt(Step(name="Ask", kind="llm"), role=version))
        assert (raised.value.failure.code, raised.value.failure.retryable) == (code, False)


async def test_a_bundle_that_mends_a_bad_role_is_loaded(opened: Database) -> None:
    await of_role(opened, """model = '{"preferred": 7}'""")

    bundle = bundles.read("rolecall: 1\nroles: [{name: Reader, basePrompt: You read.}]")

    assert await bundles.check(OPERATOR, bundle) == []
    assert (await bundles.load(OPERATOR, bundle)).roles[0].problems == ()


@pytest.mark.parametrize(
    ("edit", "paths"),
    [
        ("""config = '{"maxTurns": "many"}'""", ["/Ask/maxTurns"]),
        ("""config = '{"steps": [{"name": "Sneaked in"}]}'""", ["/Ask/steps"]),
        ("""config = '{"name": "Other"}'""", ["/Ask/name"]),
        (
            """kind = 'branch', config = '{"cases": [{"name": "A", "steps": [{"name": "In"}]}]}'""",
            ["/Ask/cases/0/steps"],
        ),
        (
            """retry_delay_ms = 5, config = '{"retry": {"backoff": "none"}, "color": 1}'""",
            ["/Ask/color", "/Ask/retry/backoff"],
        ),
    ],
)
async def test_a_step_that_cannot_be_read_is_named_with_its_field(
    opened: Database, edit: str, paths: list[str]
) -> None:
    draft = await orchestrations.draft(OPERATOR, document={"name": "asks", "steps": ASKS})
    await opened.pool.execute(f"UPDATE orchestration_step SET {edit} WHERE version_id = $1", draft.id)

    for ask in (orchestrations.version, orchestrations.publish):
        with pytest.raises(Conflict, match="no document can be read from") as refusal:
            await ask(OPERATOR, orchestration="asks", number=1)
        assert sorted(problem.path for problem in refusal.value.problems) == paths
    assert [it.number for it in (await orchestrations.versions(OPERATOR, orchestration="asks")).items] == [1]


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("""{"name": "asks", "limits": {"timeoutMs": 0.5}}""", "/limits/timeoutMs"),
        ("""{"name": "asks", "finally": []}""", "/finally"),
        ("""{"name": "asks", "a": 1}""", "/a"),
    ],
)
async def test_so_is_what_a_version_says_itself(opened: Database, document: str, path: str) -> None:
    draft = await orchestrations.draft(OPERATOR, document={"name": "asks", "steps": ASKS})
    await opened.pool.execute("UPDATE orchestration_version SET document = $2::jsonb WHERE id = $1", draft.id, document)

    with pytest.raises(Conflict) as refusal:
        await orchestrations.version(OPERATOR, orchestration="asks", number=1)

    assert [problem.path for problem in refusal.value.problems] == [path]


async def test_who_writes_rows_by_hand_need_not_say_what_rows_say(opened: Database) -> None:
    draft = await orchestrations.draft(OPERATOR, document={"name": "asks", "steps": ASKS})
    await opened.pool.execute(
        """UPDATE orchestration_version SET document = '{"name": "asks"}' WHERE id = $1""", draft.id
    )
    await opened.pool.execute(
        'INSERT INTO orchestration_step (version_id, name, "order", kind, config) '
        """VALUES ($1, 'Route', 1, 'branch', '{"cases": [{"name": "A", "when": true}]}')""",
        draft.id,
    )
    await opened.pool.execute(
        'INSERT INTO orchestration_step (version_id, parent_id, slot, name, "order", kind, input_mapping) '
        "SELECT version_id, id, 'case:A', 'Inner', 0, 'transform', '{}' FROM orchestration_step WHERE name = 'Route'"
    )

    found = await orchestrations.publish(OPERATOR, orchestration="asks", number=1)

    assert found.document.name == "asks"
    assert found.document.steps[1].cases[0].steps[0].name == "Inner"


async def test_what_somebody_has_published_past_the_checks_does_not_run(opened: Database) -> None:
    await made("fine", ASKS)
    draft = await orchestrations.draft(OPERATOR, document={"name": "asks", "steps": ASKS})
    await published_by_hand(opened, draft.id)

    with pytest.raises(Conflict, match="is not what a server has published") as refusal:
        await executions.start(OPERATOR, orchestration="asks")

    assert [problem.code for problem in refusal.value.problems] == ["NOT_PUBLISHED"]
    assert {it.name for it in (await orchestrations.list_(OPERATOR)).items} == {"asks", "fine"}
    await executions.start(OPERATOR, orchestration="fine")


async def test_a_step_that_calls_what_does_not_run_fails_and_says_so(opened: Database) -> None:
    draft = await orchestrations.draft(OPERATOR, document={"name": "asks", "steps": ASKS})
    await opened.pool.execute("UPDATE orchestration_step SET config = '{\"a\": 1}' WHERE version_id = $1", draft.id)
    await published_by_hand(opened, draft.id)

    with pytest.raises(Failed) as raised:
        step = Step(name="Call", kind="orchestration", orchestration="asks")
        await orchestration_step.perform(attempt(step, called=draft.id))

    assert (raised.value.failure.code, raised.value.failure.retryable) == ("DEFINITION_TAMPERED", False)


async def test_a_draft_whose_steps_have_one_place_cannot_be_kept() -> None:
    steps = [{**ASKS[0], "order": 1}, {"name": "Other", "kind": "transform", "inputMapping": {}, "order": 1}]

    with pytest.raises(Invalid) as refusal:
        await orchestrations.draft(OPERATOR, document={"name": "asks", "steps": steps})

    assert [problem.code for problem in refusal.value.problems] == ["ORDER_CONFLICT"]


async def test_a_tool_that_nobody_names_in_words_hides_no_execution(opened: Database) -> None:
    started = await running(opened)
    draft = await orchestrations.draft(
        OPERATOR, document={"name": "calls", "steps": [{"name": "Call", "kind": "tool"}]}
    )
    for config in ('{"tool": null}', '{"tools": [null, 7, {}]}', '{"tools": "files.*"}'):
        await opened.pool.execute(
            "UPDATE orchestration_step SET config = $2::jsonb WHERE version_id = $1", draft.id, config
        )

        found = await executions.list_(OPERATOR, tool="files.read")

        assert started.id not in {it.id for it in found.items}


async def test_an_output_that_grows_beyond_what_is_kept_is_refused_at_the_door(opened: Database) -> None:
    started = await running(opened)

    with pytest.raises(Invalid, match="when its numbers are written out"):
        await executions.complete_step(OPERATOR, execution=started.id, path="Wait", output=[1e308] * 4_000)

    await executions.complete_step(OPERATOR, execution=started.id, path="Wait", output=[1e308] * 3)


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        ("this is no JSON", "cannot read"),
        ("[" * 5_000 + "]" * 5_000, "cannot read"),
        ('{"event": "step_completed", "path": "Nobody", "attempt": 1, "output": 1}', "does not fit its version"),
    ],
)
async def test_an_execution_whose_journal_is_nonsense_is_listed_and_says_so(
    opened: Database, payload: str, state: str
) -> None:
    started = await running(opened)
    await opened.pool.execute(
        "INSERT INTO journal (execution_id, seq, epoch, kind, payload) VALUES ($1, 2, 1, 'step_noted', $2)",
        started.id,
        payload,
    )

    for ask in (executions.get, executions.steps):
        with pytest.raises(Conflict, match=state):
            await ask(OPERATOR, execution=started.id)
    assert [it.id for it in (await executions.list_(OPERATOR)).items] == [started.id]


@pytest.mark.parametrize(
    "input", ["repeat('[', 3000) || repeat(']', 3000)", "'1e5000'", "'1.5e-5'", "'1' || repeat('0', 400)"]
)
async def test_an_execution_with_an_input_that_only_the_database_can_hold_is_listed(
    opened: Database, input: str
) -> None:
    started = await running(opened)
    await opened.pool.execute(
        "INSERT INTO execution (id, version_id, input, started_by) "
        f"SELECT gen_random_uuid(), version_id, ({input})::jsonb, started_by FROM execution WHERE id = $1",
        started.id,
    )

    found = (await executions.list_(OPERATOR)).items

    assert len(found) == 2
    msgspec.json.encode(found)


async def test_a_key_whose_answer_somebody_has_written_is_used_up(opened: Database) -> None:
    await roles.create(OPERATOR, name="New", base_prompt="You are new.", idempotency_key="mine")
    await opened.pool.execute("ALTER TABLE idempotency_key DISABLE TRIGGER USER")
    await opened.pool.execute("UPDATE idempotency_key SET answer = '7'")

    with pytest.raises(Conflict, match="cannot read"):
        await roles.create(OPERATOR, name="New", base_prompt="You are new.", idempotency_key="mine")

"""What documents may refer to."""

from db import tables
from db.connection import Database
from services import catalog, orchestrations, roles
from services.caller import OPERATOR
from services.definitions.catalog import Callee
from services.json import JsonObject
from services.roles import RoleChanges
from services.tools import registry
from tests.db.attacks import MARK

FLOW: JsonObject = {"name": "flow", "steps": [{"name": "A", "kind": "llm", "roleName": "Reader"}]}


async def test_it_knows_active_roles_tools_and_kinds() -> None:
    await roles.update(OPERATOR, role="Writer", changes=RoleChanges(is_active=False))

    known = await catalog.current()

    assert set(known.roles) == {"Reader"}
    assert known.tools == registry.for_steps().keys() >= {"files.read"}
    assert known.kinds == {
        "agent", "llm", "tool", "wait", "orchestration", "transform", "branch", "loop", "map", "group", "fail", "stop",
    }  # fmt: skip


async def test_it_knows_what_active_versions_call(opened: Database) -> None:
    created = await orchestrations.create(OPERATOR, document=FLOW)
    await orchestrations.create(OPERATOR, document={**FLOW, "name": "other"})
    version = tables.OrchestrationVersion(
        orchestration_id=created.id, number=2, document='{"name": "flow"}', created_by="me"
    )
    await version.save()
    for number, called in enumerate(("other", "third")):
        step = tables.OrchestrationStep(
            version_id=version.id,
            name=f"Call {number}",
            order=number,
            kind="orchestration",
            config=f'{{"orchestration": "{called}"}}',
        )
        await step.save()

    before = (await catalog.current()).orchestrations
    async with opened.pool.acquire() as connection, connection.transaction():
        await connection.execute(MARK)
        await connection.execute(
            "UPDATE orchestration_version"
            " SET status = 'published', digest = $2, max_step_runs = 2, published_at = now() WHERE id = $1",
            version.id,
            created.digest,
        )
    await opened.pool.execute("UPDATE orchestration SET active_version_id = $1 WHERE name = 'flow'", version.id)
    after = (await catalog.current()).orchestrations

    first, second = Callee(max_step_runs=1), Callee(frozenset({"other", "third"}), max_step_runs=2)
    others = {"other": first, "other@1": first}
    assert before == {"flow": first, "flow@1": first, **others}
    assert after == {"flow": second, "flow@1": first, "flow@2": second, **others}

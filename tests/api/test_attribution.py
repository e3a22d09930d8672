"""Every change that a call makes stands in the audit in the name of its caller, whichever procedure and way it is."""

import asyncio
from typing import Any

import msgspec
import pytest

from api.root import router
from services import tokens
from services.caller import OPERATOR
from services.principal import SCOPES
from tests.api.client import Api
from tests.api.test_sessions import browser_of
from tests.api.world import world_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

MUTATIONS = [name for name, it in router if it.kind == "mutation" and not it.streams]
LAST = "SELECT coalesce(max(seq), 0) FROM audit"
ENTRIES = "SELECT DISTINCT actor, channel FROM audit WHERE seq > $1"
EXPIRE = "UPDATE orchestration_version SET expires_at = now() + interval '1 day' WHERE status = 'published'"
# Executions have a history of their own; to ask a model changes nothing, and what has the newest key keeps it.
LEAVES_NO_ENTRY = {name for name in MUTATIONS if name.startswith("execution.")}
LEAVES_NO_ENTRY |= {"model.check", "provider.test", "secret.rotate", "toolSource.refresh"}


async def entries(api: Api, last: int) -> set[tuple[str, str]]:
    return {tuple(row) for row in await api.runtime.database.pool.fetch(ENTRIES, last)}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("keyed", [False, True])
async def test_what_a_procedure_changes_is_put_down_to_its_caller(api: Api, name: str, keyed: bool) -> None:
    procedure = router.procedures[name]
    takes_key = "idempotency_key" in getattr(procedure.input_type, "__struct_fields__", ())
    if keyed and not takes_key:
        return
    meant = await world_of(api, name)
    if name == "orchestration.promote":
        # Whoever keeps what does not expire changes nothing.
        await api.runtime.database.pool.execute(EXPIRE)
    who = f"caller of {name} {keyed}"
    caller = await tokens.create(OPERATOR, name=who, scopes=SCOPES, kind="human")
    last = await api.runtime.database.pool.fetchval(LAST)
    input: Any = msgspec.to_builtins(procedure.examples[0].input)
    if keyed:
        input = {**input, "idempotencyKey": "mine"}

    reply = await api.post(name, meant(msgspec.json.encode(input).decode()).encode(), token=caller.token)

    assert reply.status == 200, reply.body
    assert await entries(api, last) == (set() if name in LEAVES_NO_ENTRY else {(who, "rpc")})


async def test_callers_at_the_same_time_are_not_taken_for_each_other(api: Api) -> None:
    callers = [await tokens.create(OPERATOR, name=f"twin {n}", scopes=SCOPES, kind="human") for n in range(4)]

    await asyncio.gather(
        *(
            api.call("role.create", {"name": f"Role {n} of {it.name}", "basePrompt": ""}, token=it.token)
            for n in range(10)
            for it in callers
        )
    )

    rows = await api.runtime.database.pool.fetch(
        "SELECT actor, after ->> 'created_by' AS creator, after ->> 'name' AS name FROM audit "
        "WHERE after ->> 'name' LIKE 'Role % of twin %'"
    )
    assert len(rows) == 40
    assert all(row["actor"] == row["creator"] == row["name"].partition(" of ")[2] for row in rows)


async def test_signing_in_and_out_is_put_down_to_whoever_does_it(api: Api) -> None:
    caller = await tokens.create(OPERATOR, name="visitor", scopes=SCOPES, kind="human")
    last = await api.runtime.database.pool.fetchval(LAST)

    browser = await browser_of(api, caller.token)
    done = await browser.ask("DELETE", "/session", origin=browser.origin)

    assert done.status == 204
    rows = await api.runtime.database.pool.fetch("SELECT * FROM audit WHERE seq > $1 ORDER BY seq", last)
    assert [(row["actor"], row["channel"], row["noun"], row["action"]) for row in rows] == [
        ("visitor", "rpc", "session", "insert"), ("visitor", "rpc", "session", "update"),
    ]  # fmt: skip
    kept = set(msgspec.json.decode(rows[0]["after"]))
    assert kept == {"id", "token_id", "name", "scopes", "created_at", "expires_at", "revoked_at"}

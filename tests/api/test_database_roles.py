"""A server whose database user is in `rolecall_app` and nothing else: all that it does works, for agents too."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import pytest_asyncio

from api.policy import Needs
from api.root import router
from db.migrate import migrate
from services import health, retention, tokens
from services.caller import OPERATOR
from services.principal import NOT_FOR_AGENTS, SCOPES, Scope
from services.settings import Settings
from tests.api.client import Api
from tests.api.conftest import serving
from tests.api.test_sessions import browser_of
from tests.api.world import world_of
from tests.conftest import CopyOf
from tests.db.logins import login

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOR_AGENTS: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope not in NOT_FOR_AGENTS)
PROCEDURES = [name for name, it in router if it.kind != "subscription" and not it.streams]
AGENTS_PROCEDURES = [
    name
    for name in PROCEDURES
    if not (isinstance(policy := router.procedures[name].meta, Needs) and NOT_FOR_AGENTS.intersection(policy.scopes))
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(copy_of: CopyOf, template: str, postgres_url: str) -> AsyncIterator[Api]:
    """The API and its worker, as such a user, with nothing less than the database roles."""
    settings = Settings(require_database_roles=True)
    async with login(postgres_url, "rolecall_app") as app, copy_of(template) as url:
        assert await migrate(app.at(url)) == []
        async with serving(app.at(url), settings=settings) as api:
            yield api


async def _asked(api: Api, name: str, token: str) -> Any:
    meant = await world_of(api, name)
    examples = router.procedures[name].examples
    input = msgspec.to_builtins(examples[0].input) if examples else msgspec.UNSET
    if "idempotency_key" in getattr(router.procedures[name].input_type, "__struct_fields__", ()):
        input = {**input, "idempotencyKey": f"{name} {token}"}
    if input is not msgspec.UNSET:
        input = msgspec.json.decode(meant(msgspec.json.encode(input).decode()))
    return await api.call(name, input, token=token)


@pytest.mark.parametrize("name", PROCEDURES)
async def test_every_procedure_works(served: Api, name: str) -> None:
    reply = await _asked(served, name, served.token)

    assert reply.status == 200, reply.body


@pytest.mark.parametrize("name", AGENTS_PROCEDURES)
async def test_every_procedure_that_an_agent_may_call_works_for_one(served: Api, name: str) -> None:
    agent = await tokens.create(OPERATOR, name=f"agent of {name}", scopes=FOR_AGENTS, kind="agent")

    reply = await _asked(served, name, agent.token)

    assert reply.status == 200, reply.body


async def test_an_agent_runs_and_follows_an_execution_to_its_end(served: Api) -> None:
    agent = await tokens.create(OPERATOR, name="runner", scopes=FOR_AGENTS, kind="agent")
    document = {"name": "greet", "steps": [{"name": "Say", "kind": "transform", "inputMapping": {"text": "hi"}}]}
    await served.call("orchestration.create", {"document": document}, token=agent.token)

    run = await served.call("run.greet", {}, token=agent.token)
    started = await served.call("execution.start", {"orchestration": "greet"}, token=agent.token)
    input = quote(msgspec.json.encode({"execution": started.data["id"]}))
    followed = await served.ask(
        "GET",
        f"/trpc/execution.follow?input={input}",
        accept="text/event-stream",
        authorization=f"Bearer {agent.token}",
    )

    assert (run.status, started.status, followed.status) == (200, 200, 200)
    assert run.data["Say"] == {"text": "hi"}
    assert followed.data[-1]["kind"] == "execution_completed"


async def test_what_a_server_does_by_itself_works(served: Api) -> None:
    browser = await browser_of(served, served.token)

    assert (await browser.ask("DELETE", "/session", origin=browser.origin)).status == 204
    assert await retention.prune(older_than=timedelta(0)) >= 0
    await served.runtime.database.pool.execute("SELECT journal_add_partitions(3)")
    assert (await health.check(served.runtime.models, None)).problems == ()

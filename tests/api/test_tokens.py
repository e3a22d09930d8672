"""Tokens: made, shown once, trusted, refused."""

import hashlib
import re
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from db import tables
from services import tokens, usage
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from services.principal import NOT_FOR_AGENTS, SCOPES, Kind, Principal
from tests.api.client import Api

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("api")]

REFUSED = "the token is unknown, revoked or expired; `rolecall token create` makes a new one"


def caller_with(*scopes: str) -> Caller:
    return Caller(Principal(kind="human", name="somebody", scopes=("tokens.manage", *scopes)))  # type: ignore[arg-type]


async def test_a_token_stands_for_its_principal() -> None:
    made = await tokens.create(OPERATOR, name="deployer", scopes=("executions.run", "roles.read"), expires_in_days=30)

    principal = (await tokens.authenticate(made.token)).principal

    assert principal == Principal(kind="service", name="deployer", scopes=("roles.read", "executions.run"))


async def test_a_token_has_a_prefix_and_a_secret_of_256_bits() -> None:
    made = await tokens.create(OPERATOR, name="shaped", scopes=())

    assert re.fullmatch(rf"rc_{made.prefix}_[A-Za-z0-9_-]{{43}}", made.token)


async def test_only_a_hash_of_the_secret_is_stored() -> None:
    made = await tokens.create(OPERATOR, name="hashed", scopes=())
    secret = made.token.removeprefix(f"rc_{made.prefix}_")

    row = await tables.Token.select().where(tables.Token.prefix == made.prefix).first()

    assert row is not None
    assert row["hash"] == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(row)


async def test_an_expiring_token_ends_after_its_days() -> None:
    made = await tokens.create(OPERATOR, name="passing", scopes=(), expires_in_days=7)

    assert made.expires_at is not None
    assert (made.expires_at - made.created_at).total_seconds() == pytest.approx(7 * 86_400, abs=60)


async def test_what_is_wrong_with_a_refused_token_is_not_told(api: Api) -> None:
    made = {
        name: await tokens.create(OPERATOR, name=name, scopes=SCOPES, expires_in_days=1)
        for name in ("expired", "revoked", "guessed")
    }
    table = tables.Token
    await api.runtime.database.pool.execute("UPDATE token SET expires_at = now() WHERE name = 'expired'")
    await tokens.revoke(OPERATOR, token="revoked")
    await table.update({table.name: "renamed"}).where(table.name == "guessed")
    guesses = {
        "expired": made["expired"].token,
        "revoked": made["revoked"].token,
        "a known prefix with another secret": f"rc_{made['guessed'].prefix}_{'a' * 43}",
        "an unknown prefix": "rc_" + made["guessed"].prefix[::-1] + made["guessed"].token[11:],
    }

    replies = {why: await api.call("system.whoami", token=token) for why, token in guesses.items()}

    assert {why: reply.refusal for why, reply in replies.items()} == dict.fromkeys(
        guesses, (401, "UNAUTHORIZED", REFUSED)
    )


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.from_regex(r"rc_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}", fullmatch=True))
async def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(text)


async def test_nobody_hands_out_a_scope_they_lack(api: Api) -> None:
    before = await api.rows()

    with pytest.raises(Forbidden, match=re.escape("holds tokens.manage, roles.read; this needs roles.write")):
        await tokens.create(caller_with("roles.read"), name="climber", scopes=("roles.read", "roles.write"))

    assert await api.rows() == before


async def test_names_of_tokens_are_unique_also_after_revoking() -> None:
    await tokens.create(OPERATOR, name="taken", scopes=())
    await tokens.revoke(OPERATOR, token="taken")

    with pytest.raises(Conflict, match="token 'taken' exists already"):
        await tokens.create(OPERATOR, name="taken", scopes=())


async def test_every_problem_of_a_wanted_token_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        await tokens.create(OPERATOR, name="1 bad", scopes=("roles.reed",), expires_in_days=0)  # type: ignore[arg-type]

    found = [(problem.code, problem.path, problem.suggestion) for problem in refused.value.problems]
    assert sorted(found) == [
        ("UNKNOWN_SCOPE", "/scopes/0", "roles.read"),
        ("WRONG_VALUE", "/expiresInDays", None),
        ("WRONG_VALUE", "/name", None),
    ]


async def test_a_list_shows_what_the_caller_could_have_made_and_no_secrets() -> None:
    weak = await tokens.create(OPERATOR, name="weak", scopes=("executions.read",))
    await tokens.create(OPERATOR, name="strong", scopes=SCOPES)

    listed = await tokens.list_(caller_with("executions.read"))

    assert tokens.Token(**{k: v for k, v in asdict(weak).items() if k != "token"}) in listed
    assert {token.name for token in listed}.isdisjoint({"strong", "tester"})


async def test_revoking_again_keeps_the_first_time() -> None:
    made = await tokens.create(OPERATOR, name="gone", scopes=())
    first = await tokens.revoke(OPERATOR, token=made.name)

    second = await tokens.revoke(OPERATOR, token=str(made.id))

    assert first.revoked_at is not None
    assert second == first


async def test_nobody_revokes_a_token_that_holds_more() -> None:
    made = await tokens.create(OPERATOR, name="mighty", scopes=SCOPES)

    with pytest.raises(Forbidden):
        await tokens.revoke(caller_with("roles.read"), token="mighty")

    assert (await tokens.authenticate(made.token)).name == "mighty"


async def test_a_token_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(NotFound):
        await tokens.revoke(OPERATOR, token="nobody's")


async def test_a_scope_an_admin_mistyped_grants_nothing(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="mistyped", scopes=("roles.read",))
    await api.runtime.database.pool.execute(
        "UPDATE token SET scopes = '{roles.read,roles.wright}' WHERE name = 'mistyped'"
    )

    principal = (await tokens.authenticate(made.token)).principal

    assert principal.scopes == ("roles.read",)


@pytest.mark.parametrize("kind", ["agent", "human", "service"])
async def test_without_its_scope_nobody_manages_tokens(api: Api, kind: Kind) -> None:
    others = tuple(scope for scope in SCOPES if scope != "tokens.manage")
    caller = Caller(Principal(kind=kind, name="somebody", scopes=others))
    before = await api.rows()

    for attempt in (tokens.create(caller, name="x", scopes=()), tokens.list_(caller), tokens.revoke(caller, token="x")):
        with pytest.raises(Forbidden):
            await attempt

    assert await api.rows() == before


async def test_an_agent_manages_no_tokens_whatever_it_holds(api: Api) -> None:
    agent = Caller(Principal(kind="agent", name="Writer for anna", scopes=SCOPES))

    for attempt in (tokens.create(agent, name="x", scopes=()), tokens.list_(agent), tokens.revoke(agent, token="x")):
        with pytest.raises(Forbidden, match=r"agent 'Writer for anna' may not do this; tokens\.manage is for people"):
            await attempt


async def test_no_agent_gets_the_scope_to_manage_tokens() -> None:
    with pytest.raises(Invalid) as refused:
        await tokens.create(OPERATOR, name="robot", scopes=("roles.read", "tokens.manage"), kind="agent")

    (problem,) = refused.value.problems
    assert (problem.code, problem.path) == ("SCOPE_NOT_FOR_AGENTS", "/scopes/1")
    assert NOT_FOR_AGENTS.isdisjoint(problem.allowed)


async def test_only_people_make_tokens_for_people(api: Api) -> None:
    service = Caller(Principal(kind="service", name="provisioner", scopes=("tokens.manage", "roles.read")))

    with pytest.raises(Forbidden, match="service 'provisioner' may make tokens for agents and services"):
        await tokens.create(service, name="somebody new", scopes=("roles.read",), kind="human")

    made = await tokens.create(service, name="scout", scopes=("roles.read",), kind="agent")
    assert (await tokens.authenticate(made.token)).principal.kind == "agent"


async def last_used(api: Api, name: str) -> datetime | None:
    await usage.written()
    return await api.runtime.database.pool.fetchval("SELECT last_used_at FROM token WHERE name = $1", name)


async def test_a_use_is_noted_and_not_again_within_the_minute(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="used", scopes=())
    unused = await last_used(api, "used")
    await tokens.authenticate(made.token)
    first = await last_used(api, "used")
    await tokens.authenticate(made.token)

    assert unused is None
    assert first is not None
    assert await last_used(api, "used") == first
    assert [it.last_used_at for it in await tokens.list_(OPERATOR) if it.name == "used"] == [first]


async def test_a_use_is_noted_again_after_a_minute(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="used again", scopes=())
    # By another process, a while ago.
    await api.runtime.database.pool.execute(
        "UPDATE token SET last_used_at = now() - interval '61 seconds' WHERE name = 'used again'"
    )
    before = await last_used(api, "used again")

    await tokens.authenticate(made.token)

    after = await last_used(api, "used again")
    assert before is not None
    assert after is not None
    assert after > before


async def test_a_refused_use_is_not_noted(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="not used", scopes=())
    await tokens.revoke(OPERATOR, token="not used")

    with pytest.raises(Unauthenticated):
        await tokens.authenticate(made.token)

    assert await last_used(api, "not used") is None


async def test_a_call_does_not_wait_for_its_note(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="held", scopes=())
    async with api.runtime.database.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM token WHERE name = 'held' FOR UPDATE")

        reply = await api.call("system.whoami", token=made.token)
        await usage.written()

    assert reply.status == 200
    assert await last_used(api, "held") is None  # the row was left alone


async def test_a_list_goes_on_behind_a_name(api: Api) -> None:
    for name in ("page 1", "page 2", "page 3"):
        await tokens.create(OPERATOR, name=name, scopes=())

    reply = await api.ask(
        "GET",
        "/trpc/token.list?input=%7B%22after%22%3A%22page%201%22%2C%22limit%22%3A2%7D",
        authorization=f"Bearer {api.token}",
    )

    assert [it["name"] for it in reply.data] == ["page 2", "page 3"]

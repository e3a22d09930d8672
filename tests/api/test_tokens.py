"""Tokens: made, shown once, trusted, refused."""

import hashlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from db import tables
from services import tokens
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from services.principal import SCOPES, Principal
from tests.api.client import Api

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("api")]

REFUSED = "the token is unknown, revoked or expired; `rolecall token create` makes a new one"


def caller_with(*scopes: str) -> Caller:
    return Caller(Principal(kind="human", name="somebody", scopes=scopes))  # type: ignore[arg-type]


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

    with pytest.raises(Forbidden, match=re.escape("holds roles.read; this needs roles.write")):
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

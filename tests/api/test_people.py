"""People of an OIDC issuer, over HTTP: with the issuer's token, in a session, and while the issuer is away."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from services.settings import Settings
from tests.api.client import Api, Reply
from tests.api.conftest import serving
from tests.conftest import CopyOf
from tests.services.issuer import AUDIENCE, LittleIssuer, little_issuer, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = new_key("key")
ANNA = {"kind": "human", "name": "oidc:anna", "scopes": ["roles.read", "roles.write"]}
AWAY = "the OIDC issuer does not tell its keys right now; nothing is known to be wrong with the token"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there() -> AsyncIterator[LittleIssuer]:
    with little_issuer(KEY) as issuer:
        yield issuer


@pytest_asyncio.fixture(loop_scope="module")
async def api(copy_of: CopyOf, template: str, there: LittleIssuer) -> AsyncIterator[Api]:
    there.recovers()
    settings = Settings(
        oidc_issuer=there.url,
        oidc_audience=AUDIENCE,
        oidc_scopes_claim="groups",
        oidc_grants={"writers": ("roles.read", "roles.write")},
    )
    async with copy_of(template) as url, serving(url, with_worker=False, settings=settings) as api:
        yield api


async def whoami(api: Api, **headers: str) -> Reply:
    return await api.ask("GET", "/trpc/system.whoami", **headers)


async def test_a_person_is_known_by_the_issuers_token(api: Api, there: LittleIssuer) -> None:
    token = there.token(KEY, groups=["writers", "staff"])

    who = await whoami(api, authorization=f"Bearer {token}")
    made = await api.call("role.create", {"name": "Poet", "basePrompt": ""}, token=token)
    refused = await api.call("token.list", token=token)
    expired = await whoami(api, authorization=f"Bearer {there.token(KEY, exp=1)}")

    assert who.data == ANNA
    assert made.status == 200
    assert refused.refusal[2] == "human 'oidc:anna' holds roles.read, roles.write; this needs tokens.manage"
    assert expired.refusal == (401, "UNAUTHORIZED", "the OIDC token has expired; sign in again")
    assert expired.headers["www-authenticate"] == 'Bearer realm="rolecall"'


async def test_a_person_signs_in_for_a_session(api: Api, there: LittleIssuer) -> None:
    body = msgspec.json.encode({"token": there.token(KEY, groups=["writers"])})

    signed_in = await api.ask("POST", "/session", body, content_type="application/json")
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    there.fails()  # nobody asks the issuer about a session
    who = await whoami(api, cookie=cookie)
    await api.runtime.database.pool.execute("UPDATE session SET revoked_at = now() WHERE name = 'oidc:anna'")
    ended = await whoami(api, cookie=cookie)

    assert signed_in.body["principal"] == who.data == ANNA
    assert ended.refusal == (401, "UNAUTHORIZED", "the session has ended; sign in again")


async def test_while_the_issuer_is_away_others_are_known(api: Api, there: LittleIssuer) -> None:
    there.fails()
    token = there.token(KEY)

    person = await whoami(api, authorization=f"Bearer {token}")
    signing_in = await api.ask(
        "POST", "/session", msgspec.json.encode({"token": token}), content_type="application/json"
    )
    other = await api.call("system.whoami")
    health = await api.call("system.health", token=token)

    assert person.refusal == (503, "SERVICE_UNAVAILABLE", AWAY)
    assert (signing_in.status, signing_in.body["error"]["message"]) == (503, AWAY)
    assert signing_in.headers["retry-after"] == "1"
    assert (other.data["name"], health.status) == ("tester", 200)


async def test_where_no_issuer_is_trusted_its_tokens_are_none(copy_of: CopyOf, template: str) -> None:
    with little_issuer(KEY) as issuer:
        async with copy_of(template) as url, serving(url, with_worker=False) as api:
            reply = await whoami(api, authorization=f"Bearer {issuer.token(KEY)}")

    assert reply.refusal[:2] == (401, "UNAUTHORIZED")
    assert issuer.asked == []

"""Browsers that sign in: the cookie, what it is good for, where it comes from, and how it ends."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services import retention, sessions, tokens, usage
from services.caller import OPERATOR
from services.errors import Unauthenticated
from services.principal import SCOPES
from services.settings import Settings
from tests.api.client import Api, Reply
from tests.api.conftest import serving
from tests.conftest import CopyOf

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = "https://app.example.com"
ENDED = (401, "UNAUTHORIZED", "the session has ended; sign in again")
ROLE = b'{"name": "Made by a page", "basePrompt": ""}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(copy_of: CopyOf, template: str) -> Any:
    async with (
        copy_of(template) as url,
        serving(url, with_worker=False, settings=Settings(allowed_origins=(APP,))) as api,
    ):
        yield api


@dataclass(frozen=True)
class Browser:
    """A browser with a page of the server's own open, signed in unless it has no cookie."""

    api: Api
    cookie: str = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        kind = {"content_type": "application/json"} if body is not None else {}
        return await self.api.ask(method, path, body, **{"cookie": self.cookie, **kind, **headers})

    async def whoami(self, **headers: str) -> Reply:
        return await self.ask("GET", "/trpc/system.whoami", **headers)


async def sign_in(api: Api, token: str, **headers: str) -> Reply:
    body = msgspec.json.encode({"token": token})
    return await api.ask("POST", "/session", body, **{"content_type": "application/json", **headers})


async def browser_of(api: Api, token: str) -> Browser:
    """A browser that has signed in with this token."""
    reply = await sign_in(api, token)
    assert reply.status == 200, reply.body
    return Browser(api, reply.headers["set-cookie"].partition(";")[0])


async def new_token(name: str, **fields: Any) -> str:
    return (await tokens.create(OPERATOR, name=name, **{"scopes": SCOPES, "kind": "human", **fields})).token


async def test_signing_in_gives_a_cookie_that_stands_for_the_token(api: Api) -> None:
    reply = await sign_in(api, api.token)

    cookie, _, attributes = reply.headers["set-cookie"].partition("; ")
    assert attributes == "Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.body["principal"] == {"kind": "human", "name": "tester", "scopes": list(SCOPES)}
    who = await Browser(api, cookie).whoami()
    assert (who.status, who.data["name"]) == (200, "tester")


async def test_away_from_this_machine_the_cookie_is_for_tls_and_this_host_only(api: Api) -> None:
    reply = await sign_in(api, api.token, host="rolecall.example")

    cookie, _, attributes = reply.headers["set-cookie"].partition("; ")
    assert re.fullmatch(r"__Host-rolecall=[A-Za-z0-9_-]{43}", cookie)
    assert attributes == "Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Strict"
    assert (await Browser(api, cookie).whoami(host="rolecall.example")).status == 200


async def test_the_cookie_without_the_prefix_counts_on_this_machine_only(api: Api) -> None:
    browser = await browser_of(api, api.token)

    assert browser.cookie.startswith("rolecall=")
    assert (await browser.whoami()).status == 200
    assert (await browser.whoami(host="localhost")).status == 200
    assert (await browser.whoami(host="rolecall.example")).status == 401
    assert (await browser.whoami(host="localhost.example")).status == 401


async def test_only_a_hash_of_the_secret_is_stored(api: Api) -> None:
    browser = await browser_of(api, api.token)
    secret = browser.cookie.partition("=")[2]

    rows = await api.runtime.database.pool.fetch("SELECT session::text AS text FROM session")

    assert rows
    assert not [row for row in rows if secret in row["text"] or secret.encode().hex() in row["text"]]


async def test_other_cookies_are_no_concern_of_ours(api: Api) -> None:
    browser = await browser_of(api, api.token)

    assert (await browser.whoami(cookie=f'theme=dark; {browser.cookie}; x="a=b"; ;=')).status == 200
    assert (await browser.whoami(cookie="theme=dark")).refusal[2].startswith("no token was sent")
    assert (await browser.whoami(cookie="rolecall=")).refusal[2].startswith("no token was sent")
    assert (await browser.whoami(cookie="rolecall=guessed")).refusal == ENDED
    assert (await browser.whoami(cookie=f"rolecall={'a' * 43}")).refusal == ENDED
    assert (await browser.whoami(cookie=f"rolecall={'a' * 43}; {browser.cookie}")).refusal == ENDED


async def test_the_header_wins_over_the_cookie(api: Api) -> None:
    browser = await browser_of(api, api.token)
    other = await new_token("other")

    by_header = await browser.whoami(authorization=f"Bearer {other}")
    refused = await browser.whoami(authorization=f"Bearer {other[:-1]}")
    with_bad_cookie = await browser.whoami(authorization=f"Bearer {other}", cookie="rolecall=x")

    assert (by_header.data["name"], with_bad_cookie.data["name"], refused.status) == ("other", "other", 401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"origin": "OWN"}, 200),
        ({"origin": APP}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://127.0.0.1"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "cross-site", "origin": APP}, 200),
        ({"sec_fetch_site": "same-site", "origin": "OWN"}, 403),
    ],
    ids=str,
)
async def test_what_may_change_something_comes_from_our_own_pages(
    api: Api, headers: dict[str, str], status: int
) -> None:
    browser = await browser_of(api, api.token)
    said = {name: browser.origin if value == "OWN" else value for name, value in headers.items()}
    before = await api.rows()

    reply = await browser.ask("POST", "/trpc/role.create", ROLE, **said)

    assert reply.status == status
    if status == 200:
        await browser.ask("POST", "/trpc/role.delete", b'{"role": "Made by a page"}', **said)
    assert await api.rows() == {**before, "audit": before["audit"] + (2 if status == 200 else 0)}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 200),
    ],
    ids=str,
)
async def test_a_query_by_get_needs_no_origin_but_no_other_may_send_it(
    api: Api, headers: dict[str, str], status: int
) -> None:
    browser = await browser_of(api, api.token)

    single = await browser.whoami(**headers)
    batch = await browser.ask("GET", "/trpc/system.whoami,role.list?batch=1", **headers)

    assert (single.status, batch.status) == (status, status)


async def test_a_query_by_post_needs_an_origin(api: Api) -> None:
    browser = await browser_of(api, api.token)

    assert (await browser.ask("POST", "/trpc/role.list", b"{}")).refusal[:2] == (403, "FORBIDDEN")
    assert (await browser.ask("POST", "/trpc/role.list", b"{}", origin=browser.origin)).status == 200


async def test_a_session_has_the_rights_that_its_token_has_now(api: Api) -> None:
    browser = await browser_of(api, await new_token("shrinking"))

    await api.runtime.database.pool.execute("UPDATE token SET scopes = '{roles.read}' WHERE name = 'shrinking'")

    assert (await browser.whoami()).data["scopes"] == ["roles.read"]


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE token SET revoked_at = now() WHERE name = $1",
        "UPDATE token SET expires_at = now() WHERE name = $1",
        "DELETE FROM token WHERE name = $1",
        "UPDATE session SET revoked_at = now() FROM token WHERE token_id = token.id AND token.name = $1",
        "UPDATE session SET expires_at = now() FROM token WHERE token_id = token.id AND token.name = $1",
        "UPDATE session SET last_used_at = now() - interval '12 hours' FROM token "
        "WHERE token_id = token.id AND token.name = $1",
    ],
)
async def test_a_session_ends_with_its_token_its_time_or_an_admins_word(api: Api, ending: str) -> None:
    name = f"ending {abs(hash(ending))}"
    browser = await browser_of(api, await new_token(name))
    assert (await browser.whoami()).status == 200

    await api.runtime.database.pool.execute(ending, name)

    assert (await browser.whoami()).refusal == ENDED


async def test_a_session_that_is_used_does_not_fall_idle(api: Api) -> None:
    browser = await browser_of(api, await new_token("busy"))
    aged = "UPDATE session SET last_used_at = last_used_at - interval '11 hours'"
    for _ in range(2):
        await api.runtime.database.pool.execute(aged)
        usage._noted.clear()  # as if by another process

        assert (await browser.whoami()).status == 200
        await usage.written()


async def test_a_session_lasts_seven_days_at_most(api: Api) -> None:
    await browser_of(api, await new_token("weekly"))

    lasts = await api.runtime.database.pool.fetchval(
        "SELECT session.expires_at - session.created_at FROM session JOIN token ON token.id = token_id "
        "WHERE token.name = 'weekly'"
    )

    assert lasts == timedelta(days=7)


async def test_signing_out_ends_this_session_and_no_other(api: Api) -> None:
    token = await new_token("leaving")
    here, elsewhere = await browser_of(api, token), await browser_of(api, token)

    reply = await here.ask("DELETE", "/session", origin=here.origin)

    assert reply.status == 204
    assert reply.headers["set-cookie"] == "rolecall=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
    assert (await here.whoami()).refusal == ENDED
    assert (await elsewhere.whoami()).status == 200
    assert (await here.ask("DELETE", "/session", origin=here.origin)).status == 204


async def test_a_page_of_an_allowed_origin_may_use_it(api: Api) -> None:
    preflight = await api.ask("OPTIONS", "/session", origin=APP)
    signed_in = await sign_in(api, api.token, origin=APP)
    refused = await sign_in(api, "rc_wrong", origin=APP)
    evil = await api.ask("OPTIONS", "/session", origin="https://evil.example")

    assert preflight.headers["access-control-allow-methods"] == "POST,DELETE,OPTIONS"
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    for reply in (preflight, signed_in, refused):
        assert reply.headers["access-control-allow-origin"] == APP
        assert reply.headers["access-control-allow-credentials"] == "true"
    assert {name for name in evil.headers if name.startswith("access-control")} == set()
    assert evil.headers["vary"] == "origin"


async def test_another_site_signs_nobody_out(api: Api) -> None:
    browser = await browser_of(api, api.token)

    for headers in ({}, {"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert (await browser.ask("DELETE", "/session", **headers)).status == 403

    assert (await browser.whoami()).status == 200


async def test_another_site_signs_nobody_in(api: Api) -> None:
    before = await api.rows()

    replies = [
        await sign_in(api, api.token, **headers)
        for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"})
    ]

    assert [(reply.status, "set-cookie" in reply.headers) for reply in replies] == [(403, False)] * 2
    assert (await sign_in(api, api.token, origin=APP)).status == 200
    assert await api.rows() == {**before, "session": before["session"] + 1, "audit": before["audit"] + 1}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "BAD_REQUEST"),
        (b"{}", {}, 400, "BAD_REQUEST"),
        (b'{"token": 7}', {}, 400, "BAD_REQUEST"),
        (b'{"token": "x", "days": 900}', {}, 400, "BAD_REQUEST"),
        (b'{"token": "\\u0000"}', {}, 401, "UNAUTHORIZED"),
        (b'{"token": "\\ud800"}', {}, 400, "BAD_REQUEST"),
        (b'{"token": "rc_wrong"}', {}, 401, "UNAUTHORIZED"),
        (b"[" * 30_000, {}, 400, "BAD_REQUEST"),
        (b"\xff", {}, 400, "BAD_REQUEST"),
        (b'{"token": "x"}', {"content_type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"token=x", {"content_type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
async def test_a_sign_in_that_is_none_says_what_would_be(
    api: Api, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    before = await api.rows()

    reply = await api.ask("POST", "/session", body, **{"content_type": "application/json", **headers})

    assert (reply.status, reply.body["error"]["status"], reply.body["error"]["code"]) == (status, status, code)
    assert await api.rows() == before


async def test_a_body_that_is_too_large_is_not_read(api: Api) -> None:
    reply = await sign_in(api, "x" * 40_000)

    assert reply.status == 413


async def test_an_agent_does_not_sign_in(api: Api) -> None:
    token = await new_token("robot", kind="agent", scopes=("roles.read",))

    reply = await sign_in(api, token)

    assert (reply.status, reply.body["error"]["message"]) == (
        403,
        "agent 'robot' cannot sign in; sessions are for people and services",
    )


async def test_sessions_that_have_ended_are_pruned(api: Api) -> None:
    pool = api.runtime.database.pool
    kept = await browser_of(api, await new_token("kept"))
    for name in ("over", "left"):
        await browser_of(api, await new_token(name))
    of = "FROM token WHERE token.id = token_id AND token.name"
    await pool.execute(f"UPDATE session SET expires_at = now() {of} = 'over'")
    await pool.execute(f"UPDATE session SET revoked_at = now() {of} = 'left'")

    await retention.prune(older_than=timedelta(days=1))

    names = {row[0] for row in await pool.fetch("SELECT name FROM token WHERE id IN (SELECT token_id FROM session)")}
    assert names.isdisjoint({"over", "left"})
    assert "kept" in names
    assert (await kept.whoami()).status == 200


async def test_a_request_keeps_its_id_or_gets_one(api: Api) -> None:
    given = await api.ask("GET", "/health", x_request_id="trace-1:2.3")
    made = [(await api.ask("GET", path)).headers["x-request-id"] for path in ("/", "/health", "/nowhere")]
    refused = await api.ask("GET", "/", x_request_id="a b\tc" + "x" * 200)

    assert given.headers["x-request-id"] == "trace-1:2.3"
    assert len(set(made)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", id) for id in [*made, refused.headers["x-request-id"]])


async def test_the_service_refuses_a_secret_that_is_none(api: Api) -> None:
    with pytest.raises(Unauthenticated):
        await sessions.authenticate("\0", idle_hours=12)

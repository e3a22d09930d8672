"""`http.get` and `http.request` as a role or a step calls them, over the guarded client to a site of the test's own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.caller import OPERATOR
from services.outbound import Guard, Outbound
from services.outbound.allowed import allowed
from services.tools import http
from services.tools.tool import Tool, ToolContext, ToolResult
from tests.outbound.site import Answers, Site, answered, site

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/Pay")


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def tools_to(answers: Answers) -> AsyncIterator[tuple[Tool, Tool, Site]]:
    async with site(answers) as shop:
        outbound = Outbound(Guard(allowed([f"shop.test:{shop.port}"]), resolve=here))
        get, request = http.tools(outbound)
        yield get, request, shop
        await outbound.close()


async def answer(tool: Tool, shop: Site, path: str = "/", **given: Any) -> ToolResult:
    return await tool.run(CONTEXT, {"url": f"http://shop.test:{shop.port}{path}", **given})


def test_to_look_something_up_is_another_right_than_to_do_something() -> None:
    get, request = http.tools(Outbound())

    assert (get.effect, get.security, get.may_be_repeated) == ("read", "medium", True)
    assert (request.effect, request.security, request.may_be_repeated) == ("external", "high", False)


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b'{"tea": [1, null]}', "application/json", {"json": {"tea": [1, None]}}),
        (b'{"tea": 1}', "application/vnd.shop+json; charset=utf-8", {"json": {"tea": 1}}),
        (b"null", "application/json", {}),
        (b'{"tea": ', "application/json", {"text": '{"tea": '}),
        (b'{"tea": 1}', "text/plain", {"text": '{"tea": 1}'}),
        ("Grün".encode("latin-1"), "text/plain; charset=iso-8859-1", {"text": "Grün"}),
        ("Grün".encode(), "text/plain", {"text": "Grün"}),
        (b"\x80 5", "text/plain", {"text": "€ 5"}),
        (b"a\0b", "text/plain", {"text": "ab"}),
        ("Tee".encode("utf-16"), "text/plain", {"text": "Tee"}),
        (b"\x89PNG\r\n\x1a\n\0\xff", "image/png", {"base64": "iVBORw0KGgoA/w=="}),
        (b"tea", "text/plain; charset=rot13", {"text": "tea"}),
        (b"", "", {"text": ""}),
    ],
)
async def test_an_answer_is_told_as_what_it_is(body: bytes, kind: str, told: dict[str, Any]) -> None:
    async with tools_to({"/": answered(200, body, content_type=kind)}) as (get, _, shop):
        value = (await answer(get, shop)).unwrapped()

    assert {name: value[name] for name in ("json", "text", "base64") if name in value} == told
    assert (value["status"], value["url"]) == (200, f"http://shop.test:{shop.port}/")


async def test_cookies_and_credentials_of_an_answer_are_not_told() -> None:
    secret = answered(200, b"", set_cookie="id=1", x_auth_token="t", www_authenticate="Basic", etag="7")
    async with tools_to({"/": secret}) as (get, _, shop):
        value = (await answer(get, shop)).unwrapped()

    assert value["headers"] == {"content-length": "0", "etag": "7"}


@pytest.mark.parametrize(
    ("status", "is_final"), [(400, True), (404, True), (408, False), (429, False), (500, False), (503, False)]
)
async def test_a_status_that_says_no_is_an_error_and_some_of_them_pass(status: int, is_final: bool) -> None:
    refusal = {"/": answered(status, b"no such tea", content_type="text/plain")}
    async with tools_to(refusal) as (get, request, shop):
        result = await answer(get, shop)
        posted = await answer(request, shop, method="POST")
        wanted = await answer(get, shop, anyStatus=True)

    assert result.error == f"GET http://shop.test:{shop.port}/ is answered with {status} Said: no such tea"
    assert (result.is_final, posted.is_final) == (is_final, is_final)
    assert wanted.unwrapped()["status"] == status


async def test_what_is_sent_is_json_or_text_with_the_key_of_the_call() -> None:
    async with tools_to({"/": answered(204)}) as (_, request, shop):
        await answer(request, shop, method="POST", json={"tea": "green"})
        await answer(request, shop, method="PUT", body="green", headers={"Content-Type": "text/tea", "X-Cup": "2"})
        await answer(request, shop, method="DELETE", headers={"Idempotency-Key": "mine"})
        await answer(request, shop, method="OPTIONS")

    posted, put, deleted, asked = shop.sent
    assert (posted.method, posted.body, posted.headers["content-type"]) == (
        "POST",
        b'{"tea":"green"}',
        "application/json",
    )
    assert posted.headers["idempotency-key"] == "execution/Pay"
    assert (put.body, put.headers["content-type"], put.headers["x-cup"]) == (b"green", "text/tea", "2")
    assert (deleted.body, deleted.headers["idempotency-key"]) == (b"", "mine")
    assert "idempotency-key" not in asked.headers


async def test_a_step_whose_path_is_in_another_script_has_a_key_all_the_same() -> None:
    context = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/Käufe ☕")
    async with tools_to({"/": answered()}) as (_, request, shop):
        result = await request.run(context, {"method": "POST", "url": f"http://shop.test:{shop.port}/"})

    assert result.error is None
    assert shop.sent[0].headers["idempotency-key"] == "execution/K%C3%A4ufe%20%E2%98%95"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"json": 1, "body": "x"}, "either `json` or `body`"),
        ({"body": "x" * 300_000}, "up to 262,144 are sent"),
        ({"headers": {"Host": "other"}}, "the header host is not for whoever asks to set"),
        ({"headers": {"A": "b\r\nC: d"}}, "holds a character that no header does"),
        ({"method": "TRACE"}, "Invalid enum value"),
        ({"method": "CONNECT"}, "Invalid enum value"),
        ({"timeoutSeconds": 0}, "timeoutSeconds"),
        ({"timeoutSeconds": 1e9}, "timeoutSeconds"),
        ({"url": "http://127.0.0.1/"}, "leads to this machine and not to the public internet"),
        ({"url": "file:///etc/passwd"}, "begins with https:// or http://"),
    ],
)
async def test_what_is_not_sent_says_why_and_would_not_be_later(given: dict[str, Any], said: str) -> None:
    async with tools_to({}) as (_, request, shop):
        url = f"http://shop.test:{shop.port}/"
        result = await request.run(CONTEXT, {"method": "POST", "url": url, **given})

    assert result.error is not None and said in result.error
    assert (result.is_final, shop.sent) == (True, [])


async def test_redirects_are_followed_to_look_up_and_not_to_do() -> None:
    pages = {"/": answered(302, location="/there"), "/there": answered(200, b"there", content_type="text/plain")}
    async with tools_to(pages) as (get, request, shop):
        looked = (await answer(get, shop)).unwrapped()
        done = (await answer(request, shop, method="POST", json={})).unwrapped()

    assert (looked["text"], looked["url"]) == ("there", f"http://shop.test:{shop.port}/there")
    assert (done["status"], done["headers"]["location"]) == (302, "/there")


async def test_who_does_not_answer_may_do_so_later() -> None:
    async with tools_to({"/": None}) as (get, _, shop):
        result = await answer(get, shop, timeoutSeconds=0.1)

    assert (result.error, result.is_final) == ("there was no whole answer within 0.1 seconds", False)

"""The admin pages in a real browser: signed in with a token, edited, refused, published, run, left."""

import asyncio
import json
from typing import Any

import pytest

from tests import browser
from tests.api.client import Api

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.needs_browser,
    pytest.mark.skipif(
        browser.found() is None, reason="no browser on this machine: install chromium, or set ROLECALL_BROWSER"
    ),
]

STEP = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "before"}}
SHOWN = "document.body.innerText"


class Pages:
    """The pages as somebody uses them."""

    def __init__(self, page: browser.Page) -> None:
        self.page = page

    def sign_in(self, token: str) -> None:
        """Type a token and send it."""
        self.page.value(f'token.value = "{token}"; document.querySelector("button").click()')

    def go(self, place: str, filled: str | None = None) -> None:
        """Go to a form by way of the first page, and wait until it is there and that field of it is filled."""
        self.page.value("location.hash = '#/'")
        self.says("Welcome to Rolecall")
        self.page.value(f'location.hash = "#/{place}/"')
        field = f"[name={filled}]" if filled else "[name]"
        there = f"document.querySelector('form {field}')" + (".value !== ''" if filled else " !== null")
        self.page.until(f"location.hash === '#/{place}/' && {there}")

    def send(self, **values: str) -> None:
        """Type into fields of a form, and send it."""
        for name, value in values.items():
            field = f"document.querySelector('form [name={name}]')"
            events = f"for (const it of ['input', 'change']) {field}.dispatchEvent(new Event(it))"
            self.page.value(f"{field}.value = {json.dumps(value)}; {events}")
        self.page.value("[...document.querySelectorAll('form button')].at(-1).click()")

    def says(self, text: str) -> str:
        """All that is shown, once this is among it."""
        return self.page.until(f"{SHOWN}.includes({json.dumps(text)}) && {SHOWN}")


async def test_a_step_is_edited_refused_published_and_run(api: Api) -> None:
    made = (await api.call("orchestration.create", {"document": {"name": "paged", "steps": [STEP]}})).data
    drafted = (await api.call("orchestration.draft", {"orchestration": "paged", "document": made["document"]})).data
    query = "SELECT id::text FROM orchestration_step WHERE version_id = $1"
    step = await api.runtime.database.pool.fetchval(query, drafted["id"])

    def used(url: str) -> tuple[str, browser.Page]:
        with browser.shown(url) as page:
            pages = Pages(page)
            pages.sign_in("rc_wrong")
            pages.says("this is no token")
            pages.sign_in(api.token)
            pages.says("Welcome to Rolecall")
            pages.go(f"orchestration_step/{step}", filled="config")
            pages.send(max_retries="99")
            pages.says("orchestration_step__max_retries (Retry 0 to 19 times.)")
            pages.send(max_retries="0", input_mapping='{"text": "after"}')
            pages.says("Successfully saved row")
            pages.go("forms/publish")
            pages.send(orchestration="paged", number="7")
            pages.says("there is no version 7")
            pages.send(orchestration="paged", number="2")
            pages.says("version 2 is published and active")
            pages.go("forms/run")
            pages.send(orchestration="paged")
            run = pages.says("Form Submitted")
            pages.go(f"orchestration_step/{step}", filled="config")
            pages.send(max_retries="3")
            pages.says("Make a new draft and edit its steps.")
            page.value("window.confirm = () => true; fetch('public/logout/', {method: 'POST'})")
            page.value("location.hash = '#/role'")
            pages.says("A token that holds the scope")
            return run, page

    run, page = await asyncio.to_thread(used, api.url.replace("/trpc", "/admin/"))
    (execution,) = [word for word in run.split() if word.count("-") == 4]
    finished = await api.finished(execution)

    assert finished["output"]["Draft"] == {"text": "after"}
    assert [it for it in map(json.loads, page.complaints) if "Content Security Policy" in str(it)] == []
    assert {url for url in page.requests if not url.startswith(("data:", f"http://127.0.0.1:{api.port}/"))} == set()


async def test_every_table_has_a_page_that_works(api: Api) -> None:
    await api.call("role.create", {"name": "Shown", "basePrompt": "You are shown."})
    await api.call("orchestration.create", {"document": {"name": "shown", "steps": [STEP]}})
    started = (await api.call("execution.start", {"orchestration": "shown"})).data
    await api.finished(started["id"])

    def used(url: str) -> dict[str, Any]:
        with browser.shown(url) as page:
            pages = Pages(page)
            pages.sign_in(api.token)
            pages.says("Welcome to Rolecall")
            found = {}
            for table in page.value("fetch('api/tables/').then((it) => it.json())"):
                page.value(f"location.hash = '#/{table}'")
                title = " ".join(word.capitalize() for word in table.split("_"))
                page.until(
                    f"document.querySelector('h1 + *, .title h1')?.innerText !== '' && {SHOWN}.includes('{title}')"
                )
                found[table] = page.until(f"/SHOWING|NO RESULTS/i.test({SHOWN}) && {SHOWN}")
            return {"found": found, "wrong": [it for it in page.complaints if "exceptionDetails" in it]}

    seen = await asyncio.to_thread(used, api.url.replace("/trpc", "/admin/"))

    assert seen["wrong"] == []
    assert "Shown" in seen["found"]["role"]
    assert "shown" in seen["found"]["orchestration"]
    assert started["id"] in seen["found"]["execution"]

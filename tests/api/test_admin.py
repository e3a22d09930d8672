"""The admin pages over HTTP: who comes in, what they may read and write, and how refusals are told."""

import logging
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from api.admin.tables import PAGES
from services import tokens
from services.caller import OPERATOR
from services.principal import SCOPES, Scope
from tests.api.client import Api, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSIDE = ("/shell.js", "/shell.css", "/public/meta/", "/api/user/", "/api/tables/", "/api/tables/role/", "/api/forms/")
STEP = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "before"}}
NOT_SHOWN = (
    "/api/change-password/",
    "/api/media/",
    "/api/docs/",
    "/public/login/",
    "/openapi.json",
    "/api/openapi.json",
)


@dataclass(frozen=True)
class Admin:
    """Somebody at the pages, with a token or a cookie."""

    api: Api
    headers: dict[str, str]

    async def ask(self, method: str, path: str, sent: Any = None) -> Reply:
        """The reply to a request; its body is text."""
        body = None if sent is None else sent if isinstance(sent, bytes) else msgspec.json.encode(sent)
        return await self.api.read(f"/admin{path}", method, body, content_type="application/json", **self.headers)

    async def found(self, path: str) -> Any:
        """What stands at a path."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)

    async def rows(self, table: str, **filters: str) -> list[Any]:
        """The rows of a table."""
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return (await self.found(f"/api/tables/{table}/?{query}"))["rows"]


async def admin_with(api: Api, *scopes: Scope) -> Admin:
    made = await tokens.create(OPERATOR, name=f"admin {uuid4()}", scopes=scopes, kind="human")
    return Admin(api, {"authorization": f"Bearer {made.token}"})


@pytest.fixture
def admin(api: Api) -> Admin:
    """Somebody who may do everything."""
    return Admin(api, {"authorization": f"Bearer {api.token}"})


@dataclass
class Workflow:
    """An orchestration with a draft of its own."""

    name: str = field(default_factory=lambda: f"paged-{uuid4()}")
    id: str = ""
    active: str = ""
    draft: str = ""
    step: str = ""
    published_step: str = ""


@pytest_asyncio.fixture(loop_scope="module")
async def workflow(api: Api) -> Workflow:
    it = Workflow()
    made = (await api.call("orchestration.create", {"document": {"name": it.name, "steps": [STEP]}})).data
    drafted = (await api.call("orchestration.draft", {"orchestration": it.name, "document": made["document"]})).data
    it.id, it.active, it.draft = made["id"], made["versionId"], drafted["id"]
    query = "SELECT id::text FROM orchestration_step WHERE version_id = $1"
    it.step = await api.runtime.database.pool.fetchval(query, it.draft)
    it.published_step = await api.runtime.database.pool.fetchval(query, it.active)
    return it


async def test_a_stranger_sees_a_place_for_a_token_and_nothing_else(api: Api) -> None:
    page = await api.read("/admin/")
    others = {path: (await api.read(f"/admin{path}")).status for path in (*INSIDE, *NOT_SHOWN, "/nothing")}

    assert page.status == 401
    assert '<input id="token"' in page.body
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert set(others.values()) == {401}


async def test_without_the_slash_the_page_is_where_its_links_are_right(api: Api) -> None:
    reply = await api.read("/admin")

    assert (reply.status, reply.headers["location"]) == (308, "/admin/")


async def test_whoever_lacks_the_scope_is_told_so(api: Api) -> None:
    scopes = tuple(scope for scope in SCOPES if scope != "admin")
    somebody = await admin_with(api, *scopes)

    page = await somebody.ask("GET", "/")
    others = {path: (await somebody.ask("GET", path)).status for path in (*INSIDE, *NOT_SHOWN, "/nothing")}

    assert page.status == 403
    assert "this needs admin</p>" in page.body
    assert set(others.values()) == {403}


async def test_the_pages_come_with_a_policy_that_keeps_them_here(admin: Admin) -> None:
    page = await admin.ask("GET", "/")
    (script,) = re.findall(r'src="\./(assets/[^"]+)"', page.body)

    assert page.status == 200
    assert '<script src="./shell.js" defer>' in page.body
    for reply in (page, await admin.ask("GET", f"/{script}"), await admin.ask("GET", "/api/user/")):
        assert reply.status == 200
        assert "script-src 'self';" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in reply.headers


async def test_what_is_for_users_of_its_own_is_not_there(admin: Admin) -> None:
    found = {path: (await admin.ask("GET", path)).status for path in NOT_SHOWN}

    assert found == dict.fromkeys(NOT_SHOWN, 404)


async def test_a_cookie_counts_in_requests_of_our_own_pages(api: Api) -> None:
    signed_in = await api.ask(
        "POST", "/session", msgspec.json.encode({"token": api.token}), content_type="application/json"
    )
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    own, unsaid = {"cookie": cookie, "sec-fetch-site": "same-origin"}, {"cookie": cookie}
    foreign = {"cookie": cookie, "sec-fetch-site": "cross-site"}
    role = {"name": f"Cookie {uuid4()}", "base_prompt": ""}

    statuses = [
        (await Admin(api, headers).ask(method, path, sent)).status
        for headers in (own, unsaid, foreign)
        for method, path, sent in (("GET", "/api/user/", None), ("POST", "/api/tables/role/", role))
    ]
    left = [(await Admin(api, headers).ask("POST", "/public/logout/", {})).status for headers in (foreign, unsaid, own)]
    after = await Admin(api, own).ask("GET", "/api/user/")

    assert statuses == [200, 201, 403, 403, 403, 403]
    assert left == [403, 403, 204]
    assert after.status == 401


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.name)
async def test_a_page_shows_its_table(admin: Admin, workflow: Workflow, page: Any) -> None:
    root = f"/api/tables/{page.name}"

    rows = await admin.rows(page.name, __page_size="1000")
    schema = await admin.found(f"{root}/schema/")
    extra = schema["extra"]

    assert {*extra["visible_column_names"], *extra["visible_filter_names"], extra["link_column_name"]} <= {
        column._meta.name for column in page.table._meta.columns
    }
    assert (await admin.found(f"{root}/count/"))["count"] == len(rows)
    assert isinstance(await admin.found(f"{root}/ids/?search=a&limit=5"), dict)
    assert (await admin.ask("GET", f"{root}/new/")).status == (405 if page.writes is None else 200)
    order = ",".join(f"{'' if it['ascending'] else '-'}{it['column']}" for it in extra["order_by"])
    assert len(await admin.rows(page.name, __order=order, __readable="true", __page_size="1000")) == len(rows)


async def test_no_secret_is_shown(admin: Admin) -> None:
    rows = [*await admin.rows("token"), *await admin.rows("token", __visible_fields="id,hash", __order="hash")]
    filtered = await admin.ask("GET", "/api/tables/token/?hash=00")

    assert rows
    assert not [row for row in rows if "hash" in row]
    assert "hash" not in (await admin.found("/api/tables/token/schema/"))["properties"]
    assert filtered.status == 400
    assert (await admin.ask("GET", "/api/tables/session/")).status == 404


async def test_a_page_is_read_by_those_who_may_read_its_rows_elsewhere(api: Api) -> None:
    somebody = await admin_with(api, "admin", "roles.read")

    found = {page.name: (await somebody.ask("GET", f"/api/tables/{page.name}/")).status for page in PAGES}

    assert found.pop("role") == found.pop("role_version") == 200
    assert set(found.values()) == {403}


async def test_rows_are_written_by_those_who_may_write_them_elsewhere(api: Api, workflow: Workflow) -> None:
    somebody = await admin_with(api, "admin", "roles.read", "orchestrations.read")
    before = await api.rows()

    replies = [
        await somebody.ask("POST", "/api/tables/role/", {"name": "Nobody", "base_prompt": ""}),
        await somebody.ask("PATCH", f"/api/tables/orchestration_step/{workflow.step}/", {"max_retries": 3}),
        await somebody.ask("PUT", f"/api/tables/orchestration_step/{workflow.step}/", {"max_retries": 3}),
        await somebody.ask("DELETE", f"/api/tables/orchestration_step/{workflow.step}/"),
        await somebody.ask("POST", "/api/forms/publish/", {"orchestration": workflow.name, "number": 2}),
        await somebody.ask("POST", "/api/forms/run/", {"orchestration": workflow.name}),
    ]

    assert [reply.status for reply in replies] == [*[403] * 4, 422, 422]
    assert all("; this needs " in reply.body for reply in replies)
    assert re.fullmatch(
        r"human 'admin .*' holds roles.read, orchestrations.read, admin; this needs roles.write", replies[0].body
    )
    assert await api.rows() == before


@pytest.mark.parametrize("page", [page for page in PAGES if page.writes is None], ids=lambda it: it.name)
async def test_what_is_only_shown_is_not_written(admin: Admin, page: Any) -> None:
    root = f"/api/tables/{page.name}"
    row = f"{root}/{uuid4() if page.name != 'inbox' else 1}/"

    assert not page.edited
    assert [(await admin.ask("POST", f"{root}/", {})).status, (await admin.ask("DELETE", f"{root}/")).status] == [
        405
    ] * 2
    assert [(await admin.ask(method, row, {})).status for method in ("PATCH", "PUT", "DELETE")] == [405] * 3


async def test_a_role_is_added_edited_and_deleted(admin: Admin) -> None:
    name = f"Writer {uuid4()}"

    made = await admin.ask(
        "POST", "/api/tables/role/", {"name": name, "base_prompt": "You write.", "tools": ["files.*"]}
    )
    id = msgspec.json.decode(made.body)["id"]
    row = await admin.found(f"/api/tables/role/{id}/")
    # A form sends what it shows, with what nobody has typed.
    sent = {key: value for key, value in row.items() if key != "id"} | {"base_prompt": "You write briefly."}
    edited = await admin.ask("PATCH", f"/api/tables/role/{id}/", sent | {"output_schema": "null"})
    stale = await admin.ask("PATCH", f"/api/tables/role/{id}/", sent)
    deleted = await admin.ask("DELETE", f"/api/tables/role/{id}/")

    assert (made.status, row["created_by"], row["version"]) == (201, "tester", 1)
    assert (edited.status, msgspec.json.decode(edited.body)["version"]) == (200, 2)
    assert stale.status == 400
    assert "read it again" in stale.body
    assert (deleted.status, (await admin.ask("GET", f"/api/tables/role/{id}/")).status) == (204, 404)


REFUSED = [
    (
        "PATCH",
        "orchestration_step/{step}",
        {"max_retries": 99},
        400,
        "orchestration_step__max_retries (Retry 0 to 19 times.)",
    ),
    ("PATCH", "orchestration_step/{step}", {"name": "input"}, 400, "orchestration_step__name_is_free"),
    ("PATCH", "orchestration_step/{step}", {"name": ""}, 400, "orchestration_step__name_is_a_name"),
    ("PATCH", "orchestration_step/{step}", {"name": None}, 400, "cannot be null (Give it a value.)"),
    ("PATCH", "orchestration_step/{step}", {"slot": "nowhere"}, 400, "orchestration_step__slot"),
    ("PATCH", "orchestration_step/{step}", {"config": "[]"}, 400, "orchestration_step__config_is_an_object"),
    ("PATCH", "orchestration_step/{step}", {"config": "{broken"}, 400, "config"),
    ("PATCH", "orchestration_step/{step}", {"max_retries": "many"}, 400, "max_retries"),
    ("PATCH", "orchestration_step/{step}", {"max_retries": 10**12}, 400, "a value cannot be stored"),
    ("PATCH", "orchestration_step/{step}", {"name": "a\0b"}, 400, "a value cannot be stored"),
    ("PATCH", "orchestration_step/{step}", {"name": "x" * 101}, 400, "name"),
    (
        "PATCH",
        "orchestration_step/{step}",
        {"role_id": "{id}"},
        409,
        "is of no row of role (A step takes the id of a role there is",
    ),
    # Seen at commit.
    (
        "PATCH",
        "orchestration_step/{step}",
        {"version_id": "{id}"},
        409,
        "is of no row of orchestration_version (Take the id of a draft",
    ),
    (
        "PATCH",
        "orchestration_step/{step}",
        {"parent_id": "{published_step}", "slot": "body"},
        409,
        "(The parent is a step of the same version",
    ),
    (
        "PATCH",
        "orchestration_step/{step}",
        {"nothing": 1},
        400,
        "send an object of columns of orchestration_step: id, version_id,",
    ),
    ("PATCH", "orchestration_step/{step}", [], 400, "send an object"),
    ("PATCH", "orchestration_step/{step}", b"{broken", 400, "send JSON"),
    ("PATCH", "orchestration_step/{step}", b"[" * 100_000, 400, "send JSON"),
    ("PATCH", "orchestration_step/{step}", b"\xff", 400, "send JSON"),
    ("PATCH", "orchestration_step/{published_step}", {"max_retries": 3}, 409, "(Make a new draft and edit its steps.)"),
    ("DELETE", "orchestration_step/{published_step}", None, 409, "(Make a new draft and edit its steps.)"),
    ("DELETE", "orchestration_version/{active}", None, 409, "Archive or reject it"),
    (
        "PATCH",
        "orchestration_version/{draft}",
        {"status": "archived"},
        409,
        "Delete the draft, or propose or publish it",
    ),
    (
        "PATCH",
        "orchestration_version/{draft}",
        {"digest": "sha256:" + "0" * 64},
        400,
        "digest is written by the server",
    ),
    ("PATCH", "orchestration_version/{draft}", {"number": 7}, 400, "number is written by the server"),
    ("PATCH", "orchestration_version/{draft}", {"status": "published"}, 409, "publishing"),
    ("PATCH", "orchestration_version/{draft}", {"problems": "[1]"}, 400, "problems is written by the server"),
    ("PATCH", "orchestration_version/{draft}", {"created_at": "2020-01-01T00:00:00Z"}, 400, "created_at is written by"),
    ("POST", "orchestration_version", {"number": 7}, 400, "the form Draft makes a version"),
    ("POST", "orchestration", {"name": "x"}, 400, "orchestration.draft makes an orchestration"),
    ("PATCH", "orchestration/{id}", {"active_version_id": "{draft}"}, 400, "Publish it first."),
    ("PATCH", "orchestration/{id}", {"name": "1"}, 400, "orchestration__name_is_a_name"),
    ("PATCH", "orchestration/{id}", {"tags": [""]}, 400, "orchestration__tags_are_named"),
    ("PATCH", "orchestration/nothing", {}, 404, "there is no orchestration 'nothing'"),
    ("PATCH", "orchestration/{step}", {}, 404, "there is no orchestration"),
    ("POST", "role", {"name": "No prompt"}, 400, "cannot be null (Give it a value.)"),
    ("GET", "orchestration_step/?order=many", None, 400, "order"),
    ("GET", "orchestration_step/?nothing=1", None, 400, "nothing"),
    ("GET", "orchestration_step/?__order=nothing", None, 400, "nothing"),
    ("GET", "orchestration_step/?__page_size=100000", None, 403, "page size"),
    ("GET", "orchestration_step/count/?nothing=1", None, 400, "nothing"),
    ("GET", "orchestration_step/count/?__visible_fields=nothing", None, 200, "count"),
    ("GET", "journal/{step}:1", None, 404, "there is no event"),
    ("GET", "journal/{step}", None, 404, "there is no event"),
    ("GET", "journal/?nothing=1", None, 400, "nothing"),
    ("GET", "orchestration_step/ids/?limit=many", None, 400, "limit"),
    ("GET", "orchestration_step/ids/?limit=-1", None, 400, "LIMIT"),
    ("GET", "orchestration_step/?__page=999999999999999999999", None, 400, "stored"),
]


@pytest.mark.parametrize(("method", "path", "sent", "status", "words"), REFUSED, ids=lambda it: str(it)[:60])
async def test_a_refusal_says_why_and_leaves_no_trace(
    admin: Admin,
    workflow: Workflow,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    sent: Any,
    status: int,
    words: str,
) -> None:
    meant = vars(workflow)
    if isinstance(sent, dict):
        sent = {
            key: value.format(**meant) if str(value).startswith("{") and value[-1] == "}" else value
            for key, value in sent.items()
        }
    before = await admin.rows("orchestration_step", version_id=workflow.draft)
    path = path.format(**meant)

    with caplog.at_level(logging.WARNING):
        reply = await admin.ask(method, f"/api/tables/{path}" + ("" if "?" in path else "/"), sent)

    assert reply.status == status, reply.body
    assert words in reply.body
    assert caplog.records == []
    assert await admin.rows("orchestration_step", version_id=workflow.draft) == before


async def test_a_body_that_nobody_typed_is_refused(admin: Admin, workflow: Workflow) -> None:
    reply = await admin.ask("PATCH", f"/api/tables/orchestration_step/{workflow.step}/", {"name": "x" * 2**20})

    assert (reply.status, reply.body) == (413, "send 1048576 bytes at most")


async def test_what_is_written_is_put_down_to_who_has_come_in(api: Api, admin: Admin, workflow: Workflow) -> None:
    before = await api.runtime.database.pool.fetchval("SELECT max(seq) FROM audit")

    await admin.ask("PATCH", f"/api/tables/orchestration_step/{workflow.step}/", {"max_retries": 1})
    await admin.ask("POST", "/api/forms/draft/", {"orchestration": workflow.name})

    query = "SELECT DISTINCT actor, channel, noun FROM audit WHERE seq > $1 ORDER BY noun"
    assert [tuple(row) for row in await api.runtime.database.pool.fetch(query, before)] == [
        ("tester", "admin", "orchestration_step"),
        ("tester", "admin", "orchestration_version"),
    ]


async def test_each_event_of_the_journal_has_a_page(api: Api, admin: Admin, workflow: Workflow) -> None:
    started = (await api.call("execution.start", {"orchestration": workflow.name})).data
    await api.finished(started["id"])

    rows = await admin.rows("journal", execution_id=started["id"], __order="seq")
    shown = await admin.found(f"/api/tables/journal/{rows[-1]['id']}/")

    assert [row["id"] for row in rows] == [f"{started['id']}:{number}" for number in range(1, len(rows) + 1)]
    assert (shown["seq"], shown["kind"]) == (len(rows), "execution_completed")
    assert {"execution_id", "seq", "payload"} <= (await admin.found("/api/tables/journal/schema/"))["properties"].keys()


async def test_a_version_is_published_by_its_row(admin: Admin, workflow: Workflow) -> None:
    place = f"/api/tables/orchestration_version/{workflow.draft}/"

    async def answered() -> Any:
        asked = await admin.ask("PATCH", place, {"status": "publishing"})
        assert asked.status == 200, asked.body
        while (row := await admin.found(place))["status"] == "publishing":
            pass
        return row

    await admin.ask(
        "PATCH", f"/api/tables/orchestration_step/{workflow.step}/", {"input_mapping": '{"text": "<<nothing.at.all>>"}'}
    )
    refused = await answered()
    await admin.ask("PATCH", f"/api/tables/orchestration_step/{workflow.step}/", {"input_mapping": '{"text": "after"}'})
    published = await answered()

    assert (refused["status"], published["status"]) == ("draft", "published")
    assert "inputMapping" in msgspec.json.decode(refused["problems"])[0]["path"]
    assert (published["problems"], published["decided_by"]) == ("[]", "tester")


async def test_the_forms_draft_publish_run_and_cancel(api: Api, admin: Admin, workflow: Workflow) -> None:
    async def sent(form: str, **values: Any) -> tuple[int, Any]:
        reply = await admin.ask("POST", f"/api/forms/{form}/", values)
        return reply.status, reply.body

    drafted = await sent("draft", orchestration=workflow.name, message="Again.")
    published = await sent("publish", orchestration=workflow.name, number=3)
    again = await sent("publish", orchestration=workflow.name, number=3)
    started = await sent("run", orchestration=workflow.name, input='{"topic": "tea"}')
    execution = re.findall(r"execution (\S+) is", started[1])[0]
    await api.finished(execution)
    refused = [
        await sent("run", orchestration=workflow.name, input="{broken"),
        await sent("run", orchestration="nothing"),
        await sent("cancel", execution=execution),
        await sent("cancel", execution="nothing"),
        await sent("draft"),
    ]

    assert drafted[0] == published[0] == started[0] == 200
    assert "version 3 is published and active" in published[1]
    assert [status for status, _ in (again, *refused)] == [422] * 6
    assert "is published" in msgspec.json.decode(again[1])["custom_form_error"]
    assert msgspec.json.decode(refused[0][1])["custom_form_error"].startswith("the input is no JSON")

"""Lists page by page: whole, in order, without a row twice, whatever is added meanwhile; and no cursor but its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.connection import Database
from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.errors import Invalid
from services.executions import ExecutionSort
from services.orchestrations import OrchestrationSort
from services.roles import RoleSort
from tests.services.test_orchestrations import FLOW

# Names in another order than times; four of the ten at the same instant.
ROLES = """
DELETE FROM role;
INSERT INTO role (name, description, base_prompt, created_by, created_at, updated_at, is_active)
  SELECT 'R' || lpad((n * 7 % 10)::text, 2, '0'), CASE n WHEN 3 THEN '100%_sure\\' ELSE 'some' END, '',
    CASE WHEN n < 5 THEN 'anna' ELSE 'bert' END, at, at, n <> 9
  FROM generate_series(0, 9) AS n, LATERAL (
    SELECT timestamptz '2026-01-01T00:00:00.123456Z'
      + make_interval(hours => CASE WHEN n BETWEEN 3 AND 6 THEN 3 ELSE n END) AS at) AS made
"""


async def all_pages(list_: Any, **asked: Any) -> list[list[Any]]:
    pages, cursor = [], None
    while True:
        page = await list_(OPERATOR, cursor=cursor, **asked)
        pages.append(page.items)
        if (cursor := page.next_cursor) is None:
            return pages


@pytest.mark.parametrize("by", ["name", "createdAt", "updatedAt"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_pages_together_are_the_list(opened: Database, by: Any, order: Any) -> None:
    await opened.pool.execute(ROLES)
    column = {"name": "name", "createdAt": "created_at", "updatedAt": "updated_at"}[by]
    expected = await opened.pool.fetch(f"SELECT name FROM role ORDER BY {column} {order}, id {order}")

    for limit in (1, 3, 5, 10, 11):
        pages = await all_pages(roles.list_, sort=RoleSort(by=by, order=order), limit=limit)

        assert [role.name for page in pages for role in page] == [row["name"] for row in expected]
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert 0 < len(pages[-1]) <= limit


async def test_what_is_added_or_goes_meanwhile_moves_no_other_row(opened: Database) -> None:
    await opened.pool.execute(ROLES)
    first = await roles.list_(OPERATOR, limit=4)

    for name in ("A first", "R03a", "Z last"):
        await roles.create(OPERATOR, name=name, base_prompt="")
    await roles.delete(OPERATOR, role=first.items[-1].name)
    rest = await roles.list_(OPERATOR, cursor=first.next_cursor)

    assert [role.name for role in first.items] == ["R00", "R01", "R02", "R03"]
    assert [role.name for role in rest.items] == ["R03a", "R04", "R05", "R06", "R07", "R08", "R09", "Z last"]


async def test_a_list_is_narrowed_by_what_a_dashboard_asks(opened: Database) -> None:
    await opened.pool.execute(ROLES)
    at = datetime(2026, 1, 1, 3, 0, 0, 123456, tzinfo=UTC)

    async def names(**asked: Any) -> int:
        return len([role for page in await all_pages(roles.list_, limit=2, **asked) for role in page])

    assert await names(q="SOME") == 9
    assert await names(q="r0") == 10
    assert await names(q="100%_") == await names(q="sure\\") == 1
    assert await names(q="100_") == await names(q="%sure\\%") == 0
    assert (await names(created_by="anna"), await names(is_active=False), await names(tool="files.read")) == (5, 1, 0)
    assert (await names(created_after=at), await names(created_before=at)) == (7, 3)
    assert await names(created_after=at, created_before=at + timedelta(microseconds=1), created_by="bert") == 2


async def test_orchestrations_have_every_tag_that_is_asked_for() -> None:
    for name, tags in {"a": ["x"], "b": ["x", "y"], "c": []}.items():
        await orchestrations.create(OPERATOR, document={**FLOW, "name": name, "tags": tags})

    async def names(**asked: Any) -> list[str]:
        return [it.name for page in await all_pages(orchestrations.list_, limit=1, **asked) for it in page]

    assert await names(tags=("x",)) == ["a", "b"]
    assert await names(tags=("y", "x")) == ["b"]
    assert await names(sort=OrchestrationSort(by="createdAt", order="desc")) == ["c", "b", "a"]
    assert await names(q="B") == ["b"]


STATUSES = ("queued", "paused", "cancelled")


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("orchestration", [None, "flow", "other"])
@pytest.mark.parametrize("status", [None, "paused", ("queued", "cancelled"), STATUSES])
async def test_executions_in_several_statuses_are_one_list(
    opened: Database, order: Any, orchestration: str | None, status: Any
) -> None:
    await _executions(opened)
    wanted = (status,) if isinstance(status, str) else status or STATUSES
    expected = await opened.pool.fetch(
        "SELECT execution.id FROM execution JOIN orchestration_version AS version ON version.id = version_id"
        " JOIN orchestration ON orchestration.id = orchestration_id"
        " WHERE execution.status = ANY($1) AND name = coalesce($2, name)"
        f" ORDER BY execution.id {order}",
        list(wanted),
        orchestration,
    )

    pages = await all_pages(
        executions.list_,
        orchestration=orchestration,
        status=status,
        sort=ExecutionSort(by="createdAt", order=order),
        limit=2,
    )

    assert [it.id for page in pages for it in page] == [row["id"] for row in expected]


async def test_in_the_order_of_their_ends_are_only_those_that_have_ended(opened: Database) -> None:
    await _executions(opened)
    ended = "SELECT id FROM execution WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, id DESC"
    expected = await opened.pool.fetch(ended)

    pages = await all_pages(executions.list_, sort=ExecutionSort(by="finishedAt"), limit=2)
    of_flow = await all_pages(executions.list_, orchestration="flow", sort=ExecutionSort(by="finishedAt"), limit=1)

    assert [it.id for page in pages for it in page] == [row["id"] for row in expected]
    assert sum(map(len, of_flow)) == 3


async def test_a_new_version_between_two_pages_does_not_end_the_list(opened: Database) -> None:
    await _executions(opened)
    first = await executions.list_(OPERATOR, orchestration="flow", limit=4)
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "new"})
    await executions.start(OPERATOR, orchestration="flow", input={"topic": "x"})

    rest = await executions.list_(OPERATOR, orchestration="flow", cursor=first.next_cursor)

    assert (len(first.items), len(rest.items), rest.next_cursor) == (4, 5, None)


@pytest.mark.parametrize("cursor", ["", "x", "e30", "bnVsbA", "ä", "eyJrZXkiOjEsImlkIjoxLCJsaXN0IjoieCJ9", "A" * 999])
async def test_a_broken_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await roles.list_(OPERATOR, cursor=cursor)

    (problem,) = refusal.value.problems
    assert (problem.code, problem.path) == ("BAD_CURSOR", "/cursor")
    assert problem.message == "it is broken; send `nextCursor` as the page before gave it"


async def test_a_cursor_of_another_list_is_refused(opened: Database) -> None:
    await opened.pool.execute(ROLES)
    first = await roles.list_(OPERATOR, limit=1)

    for list_, asked in (
        (roles.list_, {"q": "R"}),
        (roles.list_, {"sort": RoleSort(order="desc")}),
        (orchestrations.list_, {}),
    ):
        with pytest.raises(Invalid, match="it belongs to a list with other filters or in another order"):
            await list_(OPERATOR, cursor=first.next_cursor, **asked)
    assert (await roles.list_(OPERATOR, cursor=first.next_cursor, limit=2)).items != []


async def _executions(opened: Database) -> None:
    """Nine each of two orchestrations: in turns queued, paused and cancelled, of which three end at one instant."""
    for name in ("flow", "other"):
        await orchestrations.create(OPERATOR, document={**FLOW, "name": name})
    for n in range(18):
        started = await executions.start(OPERATOR, orchestration=("flow", "other")[n % 2], input={"topic": str(n)})
        if n // 2 % 3 == 1:
            paused = "UPDATE execution SET status = 'paused', available_at = NULL WHERE id = $1"
            await opened.pool.execute(paused, started.id)
        if n // 2 % 3 == 2:
            await opened.pool.execute(_END, started.id, n // 6)


_END = """
WITH ended AS (
  UPDATE execution SET status = 'cancelled', available_at = NULL,
    finished_at = timestamptz '2026-01-01' + make_interval(hours => $2) WHERE id = $1 RETURNING id
) INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'execution_cancelled', '{}' FROM ended
"""

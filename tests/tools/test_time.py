"""`time.*`: the database's clock, and calendars that leap."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from db.connection import Database
from services import connections
from services.caller import OPERATOR
from services.json import Json
from services.tools import time
from services.tools.tool import Tool, ToolContext, ToolResult

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/A")


@pytest.fixture
async def clock(database: Database) -> AsyncIterator[Database]:
    connections.use(database, None)
    yield database
    connections.use(None, None)


async def ran(tool: Tool, **given: Any) -> ToolResult:
    return await tool.run(CONTEXT, given)


async def instant(tool: Tool, **given: Any) -> Json:
    value = (await ran(tool, **given)).unwrapped()
    assert isinstance(value, dict)
    return value["instant"]


async def test_the_time_is_the_databases(clock: Database) -> None:
    before = await clock.pool.fetchval("SELECT clock_timestamp()")
    value = (await ran(time.now, zone="Asia/Kathmandu")).unwrapped()
    after = await clock.pool.fetchval("SELECT clock_timestamp()")

    told = datetime.fromisoformat(value["instant"])
    assert before <= told <= after
    assert (value["instant"][-6:], value["zone"]) == ("+05:45", "Asia/Kathmandu")
    assert value["unixSeconds"] == pytest.approx(told.timestamp())


async def test_an_instant_is_shown_by_the_clocks_of_a_zone() -> None:
    value = (await ran(time.convert, instant="2026-07-01T23:30:00Z", zone="Europe/Berlin")).unwrapped()

    assert value == {
        "instant": "2026-07-02T01:30:00+02:00",
        "zone": "Europe/Berlin",
        "weekday": "Thursday",
        "unixSeconds": datetime(2026, 7, 1, 23, 30, tzinfo=UTC).timestamp(),
    }


@pytest.mark.parametrize(
    ("start", "given", "end"),
    [
        ("2026-01-31T12:00:00Z", {"months": 1}, "2026-02-28T12:00:00Z"),
        ("2028-02-29T12:00:00Z", {"years": 1}, "2029-02-28T12:00:00Z"),
        ("2026-03-31T12:00:00Z", {"months": -13}, "2025-02-28T12:00:00Z"),
        ("2026-12-31T00:00:00Z", {"days": 1, "hours": 1, "minutes": 1, "seconds": 1}, "2027-01-01T01:01:01Z"),
        ("2026-01-01T00:00:00Z", {"weeks": -1}, "2025-12-25T00:00:00Z"),
        # The clocks leap from two to three: a day is shorter there, an hour is not.
        ("2026-03-28T12:00:00+01:00", {"days": 1, "zone": "Europe/Berlin"}, "2026-03-29T12:00:00+02:00"),
        ("2026-03-28T12:00:00+01:00", {"hours": 24, "zone": "Europe/Berlin"}, "2026-03-29T13:00:00+02:00"),
        ("2026-03-28T02:30:00+01:00", {"days": 1, "zone": "Europe/Berlin"}, "2026-03-29T03:30:00+02:00"),
        ("2026-10-25T02:30:00+02:00", {"hours": 1, "zone": "Europe/Berlin"}, "2026-10-25T02:30:00+01:00"),
        ("2026-01-01T00:00:00Z", {"days": "1"}, "2026-01-02T00:00:00Z"),
    ],
)
async def test_later_is_by_the_calendar_or_by_what_has_passed(start: str, given: dict[str, Any], end: str) -> None:
    assert await instant(time.add, instant=start, **given) == end


async def test_a_span_is_in_seconds_and_in_days_of_the_calendar() -> None:
    given = {"start": "2026-03-28T23:00:00+01:00", "end": "2026-03-29T07:00:00+02:00"}

    assert (await ran(time.between, **given, zone="Europe/Berlin")).value == {"seconds": 25_200.0, "calendarDays": 1}
    assert (await ran(time.between, **given, zone="America/New_York")).value == {"seconds": 25_200.0, "calendarDays": 1}
    assert (await ran(time.between, start=given["end"], end=given["start"])).value == {
        "seconds": -25_200.0,
        "calendarDays": -1,
    }


@pytest.mark.parametrize(
    "zone", ["", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "America", "a\0b", "ä", "CON", ".", "x" * 65]
)
async def test_a_zone_that_there_is_not_is_an_error(zone: str) -> None:
    result = await ran(time.convert, instant="2026-01-01T00:00:00Z", zone=zone)

    assert result.error is not None and "unexpected" not in result.error
    assert result.is_final


@pytest.mark.parametrize(
    "given",
    [{"years": 10_000}, {"years": -10_000}, {"days": 10**10}, {"seconds": 10**11, "weeks": -(10**10)},
     {"months": 10**11}, {"hours": 10**12}, {"days": 1.5},
     {"instant": "2026-01-01T00:00:00"}, {"instant": "tomorrow"},
     {"instant": "0001-01-01T00:00:00Z", "zone": "America/New_York"},
     {"instant": "9999-12-31T23:59:59Z", "zone": "Asia/Tokyo"}],
)  # fmt: skip
async def test_what_no_calendar_holds_is_an_error(given: dict[str, Any]) -> None:
    result = await ran(time.add, **{"instant": "2026-01-01T00:00:00Z", **given})

    assert result.error is not None and "unexpected" not in result.error
    assert result.is_final

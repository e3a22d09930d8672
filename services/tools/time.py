"""`time.now`, `time.add`, `time.between` and `time.convert`: the clock of the database, and the calendar of a zone."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from services import connections
from services.listing import Instant
from services.tools.tool import Tool, ToolContext, ToolError, tool

ZoneName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, description="Such as Europe/Berlin.")]
Count: TypeAlias = Annotated[int, Meta(ge=-100_000_000_000, le=100_000_000_000)]


class Moment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An instant as the clocks of a zone show it, with its offset from UTC."""

    instant: datetime
    zone: str
    weekday: str
    unix_seconds: float


class Span(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long it is from one instant to another: in seconds, and in days of the calendar of a zone."""

    seconds: float
    calendar_days: int


@tool("time.now", effect="read")
async def now(context: ToolContext, *, zone: ZoneName = "UTC") -> Moment:
    """What time it is: the instant, the weekday and the seconds since 1970, as the clocks of a zone show it."""
    return _moment(await connections.pool().fetchval("SELECT clock_timestamp()"), _zone(zone))


@tool("time.add", effect="none")
async def add(
    context: ToolContext,
    *,
    instant: Instant,
    zone: ZoneName = "UTC",
    years: Count = 0,
    months: Count = 0,
    weeks: Count = 0,
    days: Count = 0,
    hours: Count = 0,
    minutes: Count = 0,
    seconds: Count = 0,
) -> Moment:
    """An instant later, or, with negative numbers, earlier. Years to days are those of the calendar of the zone: the
    clock there shows the same time of day, and a day that a month lacks is its last; hours to seconds have passed.
    """
    where = _zone(zone)
    try:
        local = _months_later(instant.astimezone(where), 12 * years + months)
        local += timedelta(weeks=weeks, days=days)
        # Through UTC: what has passed is the same everywhere, and a time that clocks leap over is the one after it.
        passed = local.astimezone(UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return _moment(passed, where)
    except (OverflowError, ValueError):
        raise ToolError("that is not within the years 1 to 9999", is_final=True) from None


@tool("time.between", effect="none")
async def between(context: ToolContext, *, start: Instant, end: Instant, zone: ZoneName = "UTC") -> Span:
    """How long it is from one instant to another, negative when the other is earlier: in seconds, and in days of the
    calendar of a zone, where from the evening to the next morning is one day.
    """
    where = _zone(zone)
    try:
        dates = [it.astimezone(where).date() for it in (start, end)]
    except (OverflowError, ValueError):
        raise ToolError("that is not within the years 1 to 9999", is_final=True) from None
    return Span(seconds=(end - start).total_seconds(), calendar_days=(dates[1] - dates[0]).days)


@tool("time.convert", effect="none")
async def convert(context: ToolContext, *, instant: Instant, zone: ZoneName) -> Moment:
    """An instant as the clocks of a zone show it."""
    where = _zone(zone)
    try:
        return _moment(instant, where)
    except (OverflowError, ValueError):
        raise ToolError("that is not within the years 1 to 9999", is_final=True) from None


TOOLS: tuple[Tool, ...] = (now, add, between, convert)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ToolError(f"there is no zone {name!r}; write it like 'Europe/Berlin' or 'UTC'", is_final=True) from None


def _moment(instant: datetime, zone: ZoneInfo) -> Moment:
    local = instant.astimezone(zone)
    return Moment(instant=local, zone=zone.key, weekday=_WEEKDAYS[local.weekday()], unix_seconds=local.timestamp())


def _months_later(local: datetime, months: int) -> datetime:
    years, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    if not 1 <= years <= 9999:
        raise OverflowError
    return local.replace(year=years, month=month + 1, day=min(local.day, monthrange(years, month + 1)[1]))


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

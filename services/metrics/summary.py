"""Summaries: hours that are over are added up, and what has come since is read from the journal."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from asyncpg import Record

from services import connections
from services.caller import Caller
from services.errors import Invalid
from services.metrics.records import By, MetricRow, Metrics
from services.problem import Problem

MAX_DAYS = 366
_HOUR = timedelta(hours=1)
# Attempts stand without a model beside the calls that they made, whose tokens and cost are theirs.
_SUMMARY = """
WITH kept AS MATERIALIZED (SELECT coalesce(max(hour) + interval '1 hour', '-infinity') AS until FROM step_metric_hour),
metric AS (
  SELECT * FROM step_metric WHERE hour >= $2 AND hour < $3
  UNION ALL
  SELECT later.* FROM kept, step_metrics(greatest(kept.until, $2), $3) AS later WHERE kept.until < $3
), named AS (
  SELECT CASE $1 WHEN 'kind' THEN kind WHEN 'role' THEN role ELSE model END AS name,
    ($1 = 'model') = (model <> '') AS is_counted, metric.*
  FROM metric WHERE $1 <> 'model' OR model <> ''
)
SELECT name, bucket, coalesce(sum(number) FILTER (WHERE is_counted), 0)::bigint AS number,
  coalesce(sum(succeeded) FILTER (WHERE is_counted), 0)::bigint AS succeeded, sum(input_tokens)::bigint AS input_tokens,
  sum(output_tokens)::bigint AS output_tokens, sum(cost_usd) AS cost_usd, sum(unpriced)::bigint AS unpriced,
  sum(cached)::bigint AS cached
FROM named GROUP BY name, bucket ORDER BY name, bucket
"""


async def summary(
    caller: Caller, *, by: By = "kind", since: datetime | None = None, until: datetime | None = None
) -> Metrics:
    """What executions that finished within these hours have taken: without `until` up to now, without `since` the day
    before it.

    Hours are whole: the first is the one that `since` lies in, the last one that of `until`.

    Raises:
        Invalid: the time is longer than a year, or ends before it begins.
    """
    caller.require("executions.read")
    last = until or datetime.now(UTC)
    first = since or last - timedelta(days=1)
    problem = _problem(first, last)
    if problem is not None:
        raise Invalid("there is no such time", [Problem(code="WRONG_VALUE", path="/since", message=problem)])
    first, last = _hour(first), _hour(last - timedelta(microseconds=1)) + _HOUR
    rows = await connections.database().statements.fetch(_SUMMARY, by, first, last)
    named = groupby(rows, lambda row: row["name"])
    return Metrics(since=first, until=last, rows=tuple(_row(name, list(buckets)) for name, buckets in named))


def _problem(since: datetime, until: datetime) -> str | None:
    if until <= since:
        return f"`until` ({until.isoformat()}) is not after `since` ({since.isoformat()})"
    if until - since > timedelta(days=MAX_DAYS):
        return f"up to {MAX_DAYS} days are added up; these are {(until - since).days}"
    return None


def _hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _row(name: str, buckets: Sequence[Record]) -> MetricRow:
    def total(column: str) -> Any:
        return sum(bucket[column] for bucket in buckets)

    count, succeeded = total("number"), total("succeeded")
    return MetricRow(
        name=name or None,
        count=count,
        succeeded=succeeded,
        success_rate=succeeded / count if count else 0.0,
        p50_ms=percentile(((bucket["bucket"], bucket["number"]) for bucket in buckets), 0.50),
        p95_ms=percentile(((bucket["bucket"], bucket["number"]) for bucket in buckets), 0.95),
        input_tokens=total("input_tokens"),
        output_tokens=total("output_tokens"),
        cost_usd=total("cost_usd"),
        unpriced=total("unpriced"),
        cached=total("cached"),
    )


def percentile(buckets: Iterable[tuple[int, int]], share: float) -> int:
    """The milliseconds that this share of all took at most: of numbers by bucket, where `n` is 2 ** (n / 8) ms at most.

    >>> percentile([(0, 50), (80, 49), (160, 1)], 0.5), percentile([(0, 50), (80, 49), (160, 1)], 0.95)
    (1, 1024)
    """
    found = sorted(buckets)
    wanted = share * sum(number for _, number in found)
    return next((round(2 ** (bucket / 8)) for bucket, reached in _running(found) if reached >= wanted), 0)


def _running(buckets: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    reached = 0
    for bucket, number in buckets:
        reached += number
        yield bucket, reached

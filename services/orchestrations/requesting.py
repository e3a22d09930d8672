"""Publication of orchestrations' versions as their rows ask for it."""

from uuid import UUID

import asyncpg
import msgspec

from services.orchestrations.publishing import publish_as_it_is
from services.problem import Problem
from services.publication import Publication
from services.row_requests import OneByOne

_HOLD_ORCHESTRATION = "SELECT id FROM orchestration WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED"


def publication_requests() -> OneByOne[UUID]:
    """What answers the versions that are to be published, in a process that stays."""
    return Publication(
        table="orchestration_version",
        owner="orchestration_id",
        asked="activates, allows_breaking",
        hold_owner=_HOLD_ORCHESTRATION,
        publish=_publish,
        said=_said_for_rows,
    ).requests()


async def _publish(version: UUID, asked: asyncpg.Record, orchestration: asyncpg.Record) -> None:
    await publish_as_it_is(
        asked["requested_by"],
        orchestration["id"],
        version,
        activate=asked["activates"],
        breaking=asked["allows_breaking"],
    )


def _said_for_rows(problem: Problem) -> Problem:
    if problem.code != "BREAKING_CHANGE":
        return problem
    return msgspec.structs.replace(problem, message=f"{problem.message}; if it may, set allows_breaking")

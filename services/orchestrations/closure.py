"""The closure of a version: the roles and orchestrations that it leads to, now or when it was checked."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from services import connections

_NOW = """
WITH RECURSIVE held AS (
  SELECT $1::uuid AS version_id, NULL::text AS call
  UNION
  SELECT version.id, concat_ws('@', step.config ->> 'orchestration', step.config ->> 'version')
  FROM held
  JOIN orchestration_step AS step ON step.version_id = held.version_id AND step.kind = 'orchestration'
  JOIN orchestration ON orchestration.name = step.config ->> 'orchestration'
  JOIN orchestration_version AS version ON version.orchestration_id = orchestration.id AND version.status = 'published'
    AND CASE WHEN step.config ->> 'version' IS NULL THEN version.id = active_version_id
      ELSE version.number::text = step.config ->> 'version' END
)
SELECT jsonb_build_object(
  'roles', (
    SELECT coalesce(jsonb_object_agg(used.role_name, jsonb_build_object('id', role.id, 'version', role.version)), '{}')
    FROM (
      SELECT DISTINCT step.role_name, step.role_id FROM held
      JOIN orchestration_step AS step ON step.version_id = held.version_id WHERE step.role_name IS NOT NULL
    ) AS used JOIN role ON role.id = used.role_id),
  'orchestrations', (
    SELECT coalesce(jsonb_object_agg(call, jsonb_build_object('number', number, 'digest', digest)), '{}')
    FROM held JOIN orchestration_version AS version ON version.id = held.version_id WHERE call IS NOT NULL)
)::text AS closure
"""


class RoleThen(msgspec.Struct, frozen=True, kw_only=True):
    """A role by its id, and the version that it was at."""

    id: UUID
    version: int


class CalledThen(msgspec.Struct, frozen=True, kw_only=True):
    """The version of an orchestration that was called, by its number and its digest."""

    number: int
    digest: str


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """What a version leads to, itself and through what it calls: roles by the names that steps use, orchestrations by
    how steps say it (`Brief`, `Brief@3`).
    """

    roles: dict[str, RoleThen] = {}
    orchestrations: dict[str, CalledThen] = {}

    def drift(self, now: "Closure") -> tuple[str, ...]:
        """The names of what is another now, in their order.

        >>> then = Closure(orchestrations={"Brief": CalledThen(number=1, digest="sha256:1")})
        >>> then.drift(Closure()), then.drift(then)
        (('Brief',), ())
        """
        return tuple(sorted({*_changed(self.roles, now.roles), *_changed(self.orchestrations, now.orchestrations)}))


async def closure_now(version: UUID) -> Closure:
    """What a version leads to as things are now. What is not there is left out."""
    row = await connections.database().fetchrow(_NOW, version)
    assert row is not None, "it selects one row"
    return msgspec.json.decode(row["closure"], type=Closure)


def _changed(before: Mapping[str, object], now: Mapping[str, object]) -> set[str]:
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}

"""Providers as callers keep them: rows beside what the environment of the servers names."""

from collections.abc import Mapping
from typing import Any

import msgspec
from asyncpg import Record, UniqueViolationError
from uuid_utils.compat import uuid7

from services import connections
from services.caller import Caller
from services.definitions.nearby import nearest_of
from services.errors import Conflict, Invalid, NotFound
from services.listing import Limit, id_in
from services.models.catalog import Models
from services.models.configuration import watch
from services.models.configuration.records import Provider, ProviderChanges, ShortName
from services.models.presets import PRESETS
from services.problem import Problem

_COLUMNS = ", ".join(name for name in Provider.__struct_fields__ if name != "problems")
_SELECT = f"SELECT {_COLUMNS} FROM provider"  # noqa: S608 names of ours
_NO_CHANGES = ProviderChanges()


async def create(
    caller: Caller, models: Models, *, name: ShortName, preset: ShortName, changes: ProviderChanges = _NO_CHANGES
) -> Provider:
    """A new provider. This process calls it from now on, others within moments.

    Raises:
        Invalid: there is no such preset.
        Conflict: the name is taken.
    """
    caller.require("models.write")
    columns = {"id": uuid7(), **_columns(changes), "name": name, "preset": _preset(preset), "created_by": caller.name}
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    insert = f"INSERT INTO provider ({', '.join(columns)}) VALUES ({places}) RETURNING {_COLUMNS}"  # noqa: S608
    try:
        (row,) = await connections.database().write(insert, *columns.values())
    except UniqueViolationError:
        raise Conflict("provider", name, state="exists already", allowed="another name, or an update") from None
    await watch.refresh()
    return _provider(row, models)


async def update(caller: Caller, models: Models, *, provider: str, changes: ProviderChanges) -> Provider:
    """The provider, changed. Calls that are under way go on with what it was.

    Raises:
        NotFound, Invalid, Conflict: as `get` and `create`.
    """
    caller.require("models.write")
    before = await get(caller, models, provider=provider)
    columns = _columns(changes)
    if not columns:
        return before
    sets = ", ".join(f"{column} = ${place}" for place, column in enumerate(columns, 2))
    query = f"UPDATE provider SET {sets} WHERE id = $1 RETURNING {_COLUMNS}"  # noqa: S608 names of ours
    try:
        rows = await connections.database().write(query, before.id, *columns.values())
    except UniqueViolationError:
        raise Conflict("provider", changes.name, state="exists already", allowed="another name") from None
    if not rows:
        raise await no_provider(provider)
    await watch.refresh()
    return _provider(rows[0], models)


async def list_(caller: Caller, models: Models, *, limit: Limit = 100, after: str | None = None) -> list[Provider]:
    """Providers that have rows, by name; those behind the name `after`."""
    caller.require("models.write")
    query = f"{_SELECT} WHERE name > $1 ORDER BY name LIMIT $2"
    return [_provider(row, models) for row in await connections.database().fetch(query, after or "", limit)]


async def get(caller: Caller, models: Models, *, provider: str) -> Provider:
    """The provider of that name or id.

    Raises:
        NotFound: none has a row; names the one that may have been meant.
    """
    caller.require("models.write")
    id = id_in(provider)
    column, value = ("name", provider) if id is None else ("id", id)
    row = await connections.database().fetchrow(f"{_SELECT} WHERE {column} = $1", value)
    if row is None:
        raise await no_provider(provider)
    return _provider(row, models)


async def delete(caller: Caller, models: Models, *, provider: str) -> Provider:
    """The provider, which is gone now with its models. One of the environment that it took the place of is back.

    Raises:
        NotFound: as `get`.
    """
    caller.require("models.write")
    before = await get(caller, models, provider=provider)
    await connections.database().write("DELETE FROM provider WHERE id = $1 RETURNING id", before.id)
    await watch.refresh()
    return before


async def no_provider(provider: str) -> NotFound:
    """That none of that name or id has a row, and which may have been meant."""
    names = [row["name"] for row in await connections.database().fetch("SELECT name FROM provider ORDER BY name")]
    near = nearest_of(provider, names)
    return NotFound("provider", provider, hint=f"did you mean {near!r}?" if near else "`provider.list` shows those")


def _preset(name: str) -> str:
    if name in PRESETS:
        return name
    problem = Problem(
        code="UNKNOWN_PRESET",
        path="/preset",
        message=f"there is no preset {name!r}",
        allowed=tuple(PRESETS),
        suggestion=nearest_of(name, PRESETS),
    )
    raise Invalid("the provider cannot be saved", [problem])


def _columns(changes: ProviderChanges) -> Mapping[str, Any]:
    given = {name: getattr(changes, name) for name in changes.__struct_fields__}
    given = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if "preset" in given:
        _preset(given["preset"])
    if given.get("capabilities") is not None:
        given["capabilities"] = list(given["capabilities"])
    return given


def _provider(row: Record, models: Models) -> Provider:
    said = dict(row)
    if said["capabilities"] is not None:
        said["capabilities"] = tuple(said["capabilities"])
    path = f"/provider/{said['name']}"
    problems = tuple(problem for problem in models.configuration.problems if problem.path == path)
    return Provider(**said, problems=problems)

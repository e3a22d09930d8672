"""Models as callers keep them: rows of what providers run, and prices."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from asyncpg import Record, UniqueViolationError
from uuid_utils.compat import uuid7

from services import connections
from services.caller import Caller
from services.errors import Conflict, Invalid, NotFound
from services.models.configuration import watch
from services.models.configuration.providers import no_provider
from services.models.configuration.records import ModelChanges, ModelPrice, ModelRow, NewPrice
from services.problem import Problem

_COLUMNS = ", ".join(f"model.{name}" for name in ModelRow.__struct_fields__ if name != "name")
_FULL_NAME = "(SELECT name FROM provider WHERE id = provider_id) || '/' || model.name AS name"
_RETURNING = f"{_COLUMNS}, {_FULL_NAME}"
_OF_NAME = "provider.id = provider_id AND provider.name = $1 AND model.name = $2"
_PRICE_COLUMNS = ", ".join(ModelPrice.__struct_fields__)
_NO_CHANGES = ModelChanges()


async def create(caller: Caller, *, model: str, changes: ModelChanges = _NO_CHANGES) -> ModelRow:
    """A model that can be called from now on, of a provider that has a row. `model` is "provider/model".

    Raises:
        Invalid: `model` names no provider.
        NotFound: the provider has no row.
        Conflict: the provider has that model already.
    """
    caller.require("models.write")
    provider, name = _parts(model)
    columns = {"id": uuid7(), **_given(changes), "name": name, "created_by": caller.name}
    places = ", ".join(f"${place}" for place in range(2, len(columns) + 2))
    insert = (
        f"INSERT INTO model (provider_id, {', '.join(columns)}) "  # noqa: S608 names of ours
        f"SELECT provider.id, {places} FROM provider WHERE provider.name = $1 RETURNING {_RETURNING}"
    )
    try:
        rows = await connections.database().write(insert, provider, *columns.values())
    except UniqueViolationError:
        raise Conflict("model", model, state="exists already", allowed="another name, or an update") from None
    if not rows:
        raise await no_provider(provider)
    await watch.refresh()
    return _row(rows[0])


async def update(caller: Caller, *, model: str, changes: ModelChanges) -> ModelRow:
    """The model, changed.

    Raises:
        NotFound: it has no row.
    """
    caller.require("models.write")
    given = _given(changes)
    sets = ", ".join(f"{column} = ${place}" for place, column in enumerate(given, 3)) or "is_active = model.is_active"
    query = f"UPDATE model SET {sets} FROM provider WHERE {_OF_NAME} RETURNING {_RETURNING}"  # noqa: S608 names of ours
    return await _changed(query, model, *given.values())


async def delete(caller: Caller, *, model: str) -> ModelRow:
    """The model, whose row is gone now.

    Raises:
        NotFound: it has none.
    """
    caller.require("models.write")
    return await _changed(f"DELETE FROM model USING provider WHERE {_OF_NAME} RETURNING {_RETURNING}", model)  # noqa: S608


async def set_price(
    caller: Caller, *, model: str, price: NewPrice, valid_from: datetime | None = None, note: str = ""
) -> ModelPrice:
    """What calls of "provider/model" cost from `valid_from` on, or from now on. What was called before keeps its cost.

    Raises:
        Invalid: `model` names no provider, or the long prices are not whole.
    """
    caller.require("models.write")
    _parts(model)
    said = msgspec.structs.asdict(price)
    columns: dict[str, Any] = {"id": uuid7(), "model": model, "note": note, "created_by": caller.name}
    columns |= {name: Decimal(value) if isinstance(value, str) else value for name, value in said.items()}
    if valid_from is not None:
        columns["valid_from"] = valid_from
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    insert = f"INSERT INTO model_price ({', '.join(columns)}) VALUES ({places}) RETURNING {_PRICE_COLUMNS}"  # noqa: S608
    (row,) = await connections.database().write(insert, *columns.values())
    await watch.refresh()
    return ModelPrice(**dict(row))


def _parts(model: str) -> tuple[str, str]:
    provider, _, name = model.partition("/")
    if not provider or not name:
        message = "a model is named with its provider, as in openai/gpt-6-luna"
        raise Invalid("there is no such model", [Problem(code="WRONG_VALUE", path="/model", message=message)])
    return provider, name


def _given(changes: ModelChanges) -> dict[str, Any]:
    given = {name: getattr(changes, name) for name in changes.__struct_fields__}
    given = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if given.get("capabilities") is not None:
        given["capabilities"] = list(given["capabilities"])
    return given


async def _changed(query: str, model: str, *values: object) -> ModelRow:
    rows = await connections.database().write(query, *_parts(model), *values)
    if not rows:
        hint = (
            "`model.list` shows what can be called; `model.create` makes a row for a model of a provider that has one"
        )
        raise NotFound("row of a model", model, hint=hint)
    await watch.refresh()
    return _row(rows[0])


def _row(row: Record) -> ModelRow:
    said = dict(row)
    if said["capabilities"] is not None:
        said["capabilities"] = tuple(said["capabilities"])
    return ModelRow(**said)

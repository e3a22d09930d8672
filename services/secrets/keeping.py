"""Secrets as callers keep them: set, listed without their values, deleted, and encrypted anew."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from asyncpg import Record, UniqueViolationError
from uuid_utils.compat import uuid7

from services import connections
from services.caller import Caller
from services.definitions.document import Name
from services.definitions.nearby import nearest_of
from services.errors import Conflict, Invalid, NotFound
from services.listing import Limit
from services.problem import Problem
from services.secrets.hosts import host_of, is_host
from services.secrets.keyring import VARIABLE, Keyring, Unreadable
from services.secrets.records import Rotated, SecretEntry
from services.secrets.secret import Secret

_COLUMNS = "id, name, description, hosts, key_id, created_by, created_at, updated_at"
_INSERT = f"""
INSERT INTO secret (id, name, description, value, hosts, created_by) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING {_COLUMNS}
"""  # noqa: S608 names of ours
_UPDATE = f"""
UPDATE secret SET description = $2, value = $3, hosts = $4 WHERE id = $1 RETURNING {_COLUMNS}
"""  # noqa: S608


@dataclass(slots=True)
class _Process:
    keyring: Keyring = field(default_factory=Keyring)


_process = _Process()


def use(keyring: Keyring) -> None:
    """Let this process read and write secrets with these keys."""
    _process.keyring = keyring


def keyring() -> Keyring:
    """The keys of this process."""
    return _process.keyring


async def set_(
    caller: Caller, *, name: Name, value: Secret, hosts: Sequence[str], description: str | None = None
) -> SecretEntry:
    """The secret of that name, made or given another value, without that value. Whatever uses it takes the new value
    within seconds.

    Raises:
        Invalid: a host is none; says what it may have been.
        Conflict: this process has no key to encrypt with, or somebody makes a secret of that name at this moment.
    """
    caller.require("secrets.write")
    wanted = _checked(hosts)
    async with connections.database().transaction():
        row = await connections.database().fetchrow(
            "SELECT id, description FROM secret WHERE name = $1 FOR UPDATE", name
        )
        id: UUID = uuid7() if row is None else row["id"]
        sealed = _sealed(name, value, bound_to(id, wanted))
        if row is not None:
            said = row["description"] if description is None else description
            return await _written(_UPDATE, id, said, sealed, wanted)
        try:
            return await _written(_INSERT, id, name, description or "", sealed, wanted, caller.name)
        except UniqueViolationError:
            raise Conflict("secret", name, state="was made a moment ago", allowed="another try") from None


async def list_(caller: Caller, *, limit: Limit = 100, after: str | None = None) -> list[SecretEntry]:
    """Secrets by name without their values; those behind the name `after`."""
    caller.require("secrets.write")
    query = f"SELECT {_COLUMNS} FROM secret WHERE name > $1 ORDER BY name LIMIT $2"  # noqa: S608 names of ours
    return [_entry(row) for row in await connections.database().fetch(query, after or "", limit)]


async def delete(caller: Caller, *, secret: str) -> SecretEntry:
    """The secret of that name, which is gone now. The database refuses it while a provider uses it.

    Raises:
        NotFound: there is none; names the one that may have been meant.
    """
    caller.require("secrets.write")
    rows = await connections.database().write(
        f"DELETE FROM secret WHERE name = $1 RETURNING {_COLUMNS}",  # noqa: S608 names of ours
        secret,
    )
    if not rows:
        raise await no_secret(secret)
    return _entry(rows[0])


async def rotate(caller: Caller, *, secret: str | None = None) -> Rotated:
    """Every secret that another key than the newest has encrypted, or one of that name, encrypted anew; together or
    none of them.

    Raises:
        Conflict: this process has no key.
    """
    caller.require("secrets.write")
    newest, unreadable, rotated = keyring().newest, [], 0
    if newest is None:
        raise _no_key("secrets", "*")
    async with connections.database().transaction():
        query = f"""
        SELECT value, {_COLUMNS} FROM secret WHERE key_id <> $1 AND name = coalesce($2, name) ORDER BY name FOR UPDATE
        """  # noqa: S608 names of ours
        for row in await connections.database().fetch(query, newest, secret):
            place = bound_to(row["id"], row["hosts"])
            try:
                value = keyring().open(row["value"], place)
            except Unreadable as error:
                unreadable.append(_entry(row, str(error)))
                continue
            sealed = _sealed(row["name"], value, place)
            await connections.database().write("UPDATE secret SET value = $2 WHERE id = $1", row["id"], sealed)
            rotated += 1
    return Rotated(key_id=newest, rotated=rotated, unreadable=tuple(unreadable))


def bound_to(id: UUID, hosts: Sequence[str]) -> str:
    """What the encryption of a secret is bound to: its row, and where it may be sent."""
    return " ".join(("secret", str(id), *sorted(hosts)))


async def no_secret(name: str) -> NotFound:
    """That there is none of that name, and which may have been meant."""
    names = [row["name"] for row in await connections.database().fetch("SELECT name FROM secret ORDER BY name")]
    near = nearest_of(name, names)
    hint = f"did you mean {near!r}?" if near else "`secret.list` shows those there are"
    return NotFound("secret", name, hint=hint)


def _checked(hosts: Sequence[str]) -> list[str]:
    problems = []
    for place, host in enumerate(hosts):
        if not is_host(host):
            meant = host_of(host.lower() if "://" in host else f"https://{host.lower()}")
            problems.append(
                Problem(
                    code="WRONG_VALUE",
                    path=f"/hosts/{place}",
                    message="a host is a name or an address, with a port if it is not the usual one: api.openai.com",
                    suggestion=meant if is_host(meant) else None,
                )
            )
    if problems:
        raise Invalid("the secret cannot be set", problems)
    return sorted(set(hosts))


def _sealed(name: str, value: Secret, place: str) -> str:
    try:
        return keyring().seal(value, place)
    except Unreadable:
        raise _no_key("secret", name) from None


def _no_key(noun: str, name: str) -> Conflict:
    return Conflict(
        noun,
        name,
        state="cannot be encrypted, because this server has no key",
        allowed=f"{VARIABLE}, which `rolecall secrets key` makes",
    )


async def _written(statement: str, *values: Any) -> SecretEntry:
    (row,) = await connections.database().write(statement, *values)
    return _entry(row)


def _entry(row: Record, problem: str | None = None) -> SecretEntry:
    if problem is None and not keyring().knows(row["key_id"]):
        problem = f"{VARIABLE} does not hold the key {row['key_id']} that it is encrypted with"
    known = {name: row[name] for name in SecretEntry.__struct_fields__ if name not in ("hosts", "problem")}
    return SecretEntry(**known, hosts=tuple(row["hosts"]), problem=problem)

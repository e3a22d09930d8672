"""Every rule is needed: without it, something that it refuses goes through, or something that it does is not done."""

from __future__ import annotations

import re

import asyncpg
import pytest

from db.connection import connect
from db.refusal import refusal_of
from tests.db.attacks import ATTACKS
from tests.db.test_edits import EDITS

RULES = sorted({rule for rule, _ in ATTACKS})

CONSTRAINTS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname)
FROM pg_constraint WHERE conname = $1 AND contype <> 't' AND conparentid = 0 AND NOT (
  SELECT relispartition FROM pg_class WHERE oid = conrelid)
"""
INDEXES = """
SELECT format('DROP INDEX %s', oid::regclass) FROM pg_class
WHERE relname = $1 AND relkind IN ('i', 'I') AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = pg_class.oid)
"""
REFUSERS = """
SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger
WHERE split_part(encode(tgargs, 'escape'), E'\\\\000', 1) = $1
"""
GUARDS = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE prosrc LIKE '%CONSTRAINT = ''' || $1 || '''%'"
TRIGGERS = """
SELECT tgrelid::regclass::text, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND tgparentid = 0
  AND tgfoid <> 'definition_changed'::regproc  -- what others hear is no rule of rows; see test_notices.py
  AND (NOT relispartition OR relname IN ('journal_default', 'journal_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')))
ORDER BY 1, 2
"""

# A statement that raises, whatever its texts contain.
RAISE = re.compile(r"RAISE EXCEPTION (?:'(?:[^']|'')*'|[^';])*;")


@pytest.mark.parametrize("rule", RULES)
async def test_without_a_rule_one_of_its_attacks_succeeds(world_url: str, rule: str) -> None:
    world = await connect(world_url)
    mutation = await _without(world, rule)
    assert mutation

    succeeded = [attack for name, attack in ATTACKS if name == rule and await _is_done(world, [*mutation, attack])]
    await world.close()

    assert succeeded


# Each trigger is tried against every attack that names its table, and more; a busy machine takes minutes for that.
@pytest.mark.timeout(400)
async def test_without_a_trigger_an_attack_succeeds_or_an_edit_goes_wrong(world_url: str) -> None:
    world = await connect(world_url)
    needless = []
    for table, trigger in await world.fetch(TRIGGERS):
        mutation = f"DROP TRIGGER {trigger} ON {table}"
        # Those that name the table first: most often the first one tells.
        attacks = sorted((attack for _, attack in ATTACKS), key=lambda attack: f" {table}" not in attack)
        edits = sorted(EDITS, key=lambda edit: f" {table}" not in edit[1])
        if not (
            await _any_edit_goes_wrong(world, mutation, edits)
            or await _any_attack_succeeds(world, mutation, attacks)
            or await _any_hint_is_lost(world, mutation, attacks)
        ):
            needless.append(trigger)
    await world.close()

    assert needless == []


async def _without(world: asyncpg.Connection, rule: str) -> list[str]:
    """The statements after which the rule does not hold any more."""
    dropped = [row[0] for query in (CONSTRAINTS, INDEXES, REFUSERS) for row in await world.fetch(query, rule)]
    return dropped + [_silenced(row[0], rule) for row in await world.fetch(GUARDS, rule)]


def _silenced(definition: str, rule: str) -> str:
    """A guard's function that no longer refuses anything in the name of `rule`."""
    accept = "RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;"
    return RAISE.sub(lambda it: accept if f"CONSTRAINT = '{rule}'" in it[0] else it[0], definition)


async def _any_attack_succeeds(world: asyncpg.Connection, mutation: str, attacks: list[str]) -> bool:
    for attack in attacks:
        if await _is_done(world, [mutation, attack]):
            return True
    return False


async def _any_hint_is_lost(world: asyncpg.Connection, mutation: str, attacks: list[str]) -> bool:
    """Whether one of the attacks is still refused, but no longer told what to do instead."""
    for attack in attacks:
        if await _has_hint(world, [attack]) and not await _has_hint(world, [mutation, attack]):
            return True
    return False


async def _has_hint(world: asyncpg.Connection, statements: list[str]) -> bool:
    transaction = world.transaction()
    await transaction.start()
    try:
        for statement in (*statements, "SET CONSTRAINTS ALL IMMEDIATE"):
            await world.execute(statement)
    except asyncpg.PostgresError as error:
        return refusal_of(error).hint is not None
    finally:
        await transaction.rollback()
    return False


async def _any_edit_goes_wrong(world: asyncpg.Connection, mutation: str, edits: list[tuple]) -> bool:
    for _, edit, query, result in edits:
        if not await _is_done(world, [mutation, edit], query, result):
            return True
    return False


async def _is_done(
    world: asyncpg.Connection, statements: list[str], query: str = "SELECT 1", result: object = 1
) -> bool:
    """Whether the statements go through, as at a commit, and the query then has that result; nothing of it stays."""
    transaction = world.transaction()
    await transaction.start()
    try:
        for statement in (*statements, "SET CONSTRAINTS ALL IMMEDIATE"):
            await world.execute(statement)
        return await world.fetchval(query) == result
    except asyncpg.PostgresError:
        return False
    finally:
        await transaction.rollback()

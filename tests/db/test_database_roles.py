"""The database roles: what each may do and nothing else, also where whoever migrates may make no roles."""

from __future__ import annotations

from collections import defaultdict

import asyncpg
import pytest

from tests.db.rights import FUNCTIONS, RIGHTS, allowed

COLUMNS = """
SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition
  AND attnum > 0 AND NOT attisdropped
"""
HELD = """
SELECT relname, privilege, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid,
  unnest('{SELECT, INSERT, UPDATE, REFERENCES}'::text[]) AS privilege
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped
  AND has_column_privilege($1, pg_class.oid, attnum, privilege)
UNION ALL
SELECT relname, privilege, '*' FROM pg_class, unnest('{DELETE, TRUNCATE, TRIGGER}'::text[]) AS privilege
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
  AND has_table_privilege($1, pg_class.oid, privilege)
"""
CALLABLE = """
SELECT proname FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prosecdef AND has_function_privilege($1, oid, 'EXECUTE')
"""
UNPINNED = """
SELECT proname FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND (prosecdef OR prorettype = 'trigger'::regtype)
  AND NOT coalesce(proconfig @> ARRAY['search_path=public, pg_temp'], false)
"""
HINTED = "SELECT tgname FROM pg_trigger WHERE tgname LIKE '%\\_\\_with\\_hints' AND tgtype & 2 = 2"
# The last is one that nothing can break which does not break the primary key first.
SILENT = """
SELECT conname FROM pg_constraint WHERE conrelid = ANY ($1::text[]::regclass[]) AND contype IN ('c', 'f', 'u')
  AND obj_description(oid, 'pg_constraint') IS NULL AND conname <> 'orchestration_step__version_id'
"""


@pytest.mark.parametrize("role", RIGHTS)
async def test_a_role_has_the_rights_that_were_decided_and_no_others(world: asyncpg.Connection, role: str) -> None:
    columns = defaultdict[str, list[str]](list)
    for table, column in await world.fetch(COLUMNS):
        columns[table].append(column)

    held = {tuple(row) for row in await world.fetch(HELD, role)}

    wanted = {(table, *right) for table, rights in RIGHTS[role].items() for right in allowed(rights, columns[table])}
    assert (held - wanted, wanted - held) == (set(), set())


@pytest.mark.parametrize("role", FUNCTIONS)
async def test_of_the_owners_rights_a_role_has_those_of_its_functions(world: asyncpg.Connection, role: str) -> None:
    assert {name for (name,) in await world.fetch(CALLABLE, role)} == FUNCTIONS[role]


async def test_functions_that_guard_look_at_our_tables_and_no_others(world: asyncpg.Connection) -> None:
    assert await world.fetch(UNPINNED) == []


async def test_a_table_of_the_same_name_in_front_misleads_no_guard(world: asyncpg.Connection) -> None:
    await world.execute("SET LOCAL ROLE rolecall_admin")
    await world.execute("CREATE TEMP TABLE orchestration_version (LIKE orchestration_version)")

    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await world.execute("DELETE FROM public.orchestration_step")


async def test_no_role_can_log_in_and_none_owns_the_database(world: asyncpg.Connection) -> None:
    roles = await world.fetch(
        "SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname LIKE 'rolecall\\_%'"
    )
    owners = await world.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")

    assert [tuple(row) for row in roles] == [(False, False, False)] * 5
    assert [tuple(row) for row in owners] == [("rolecall_owner",)]


async def test_every_constraint_of_what_people_edit_says_what_to_do(world: asyncpg.Connection) -> None:
    hinted = [table.removesuffix("__with_hints") for (table,) in await world.fetch(HINTED)]

    assert set(hinted) == {
        *("role", "role_version", "orchestration", "orchestration_version", "orchestration_step"),
        *("secret", "provider", "model", "model_price", "default_model", "mcp_source", "mcp_tool", "budget"),
    }
    assert [name for (name,) in await world.fetch(SILENT, hinted)] == []

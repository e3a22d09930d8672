"""Whoever looks at the database with a SQL client is told what everything there is."""

import re

import asyncpg
import pytest

THINGS = """
SELECT CASE relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || relname AS thing, relname AS name,
  obj_description(oid, 'pg_class') AS comment
FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'rolecall'::regnamespace) AND relkind IN ('r', 'p', 'v')
  AND NOT relispartition AND relname <> 'migration'
UNION ALL
SELECT 'column ' || relname || '.' || attname, attname, col_description(pg_class.oid, attnum)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace IN ('public'::regnamespace, 'rolecall'::regnamespace) AND relkind IN ('r', 'p', 'v')
  AND NOT relispartition AND relname <> 'migration' AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'function ' || oid::regprocedure, proname, obj_description(oid, 'pg_proc')
FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'rolecall'::regnamespace)
UNION ALL
SELECT 'schema rolecall', 'rolecall', obj_description('rolecall'::regnamespace, 'pg_namespace')
"""


async def test_everything_says_what_it_is(world: asyncpg.Connection) -> None:
    things = await world.fetch(THINGS)

    assert len(things) > 250
    assert sorted(row["thing"] for row in things if not _says_something(row["name"], row["comment"] or "")) == []


@pytest.mark.parametrize(
    ("name", "comment"),
    [("created_at", ""), ("created_at", "Created at"), ("created_at", "The created at."), ("input", "What it")],
)
def test_a_name_said_again_says_nothing(name: str, comment: str) -> None:
    assert not _says_something(name, comment)


def _says_something(name: str, comment: str) -> bool:
    """Whether a comment has three words, and one at least that its thing's name does not have."""
    words = re.findall(r"\w+", comment.lower())
    return len(words) >= 3 and not set(words) <= {*name.split("_"), "the", "a", "of"}

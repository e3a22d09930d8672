"""Piccolo's tables say what the schema says: they cannot drift apart."""

from __future__ import annotations

import asyncpg
import pytest
from piccolo.columns import Array, Column, ForeignKey
from piccolo.table import Table

from db.connection import Database
from db.refusal import refusal_of
from db.tables import TABLES, Execution, Inbox, Orchestration, OrchestrationStep, OrchestrationVersion, Role, Worker
from tests.db.attacks import MARK

COLUMNS = """
SELECT column_name, data_type, udt_name, character_maximum_length, is_nullable = 'YES'
FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
"""

# Of a key of two columns the last one; the first says only that both are of one version.
FOREIGN_KEYS = """
SELECT attname, confrelid::regclass::text, CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' END
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[cardinality(conkey)]
WHERE contype = 'f' AND conrelid = $1::text::regclass
"""

UNIQUE = """
SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indisunique AND NOT indisprimary AND indnkeyatts = 1 AND indrelid = $1::text::regclass
"""

# What Piccolo writes in a CREATE TABLE, in the words of information_schema.
TYPES = {
    "BIGINT": ("bigint", "int8"),
    "BIGSERIAL": ("bigint", "int8"),
    "BOOLEAN": ("boolean", "bool"),
    "BYTEA": ("bytea", "bytea"),
    "DATE": ("date", "date"),
    "INTEGER": ("integer", "int4"),
    "JSON": ("json", "json"),
    "JSONB": ("jsonb", "jsonb"),
    "NUMERIC": ("numeric", "numeric"),
    "SMALLINT": ("smallint", "int2"),
    "TEXT": ("text", "text"),
    "TIMESTAMPTZ": ("timestamp with time zone", "timestamptz"),
    "UUID": ("uuid", "uuid"),
    "VARCHAR": ("character varying", "varchar"),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_a_table_has_the_columns_of_the_schema(database: Database, table: type[Table]) -> None:
    columns = {tuple(row) for row in await database.pool.fetch(COLUMNS, table._meta.tablename)}

    assert {_described(column) for column in table._meta.columns} == columns


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_a_table_refers_to_what_the_schema_refers_to(world: asyncpg.Connection, table: type[Table]) -> None:
    references = {tuple(row) for row in await world.fetch(FOREIGN_KEYS, table._meta.tablename)}

    assert references == {
        (column._meta.name, key.resolved_references._meta.tablename, key.on_delete.value)
        for column in table._meta.foreign_key_columns
        if (key := column._foreign_key_meta)
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_a_table_has_the_unique_columns_of_the_schema(world: asyncpg.Connection, table: type[Table]) -> None:
    unique = {name for (name,) in await world.fetch(UNIQUE, table._meta.tablename)}

    assert {column._meta.name for column in table._meta.columns if column._meta.unique} == unique


async def test_every_table_of_the_schema_is_registered_and_explained(world: asyncpg.Connection) -> None:
    explained = await world.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition "
        "AND obj_description(oid, 'pg_class') IS NOT NULL"
    )

    assert {name for (name,) in explained} == {table._meta.tablename for table in TABLES}
    assert all(table.__doc__ for table in TABLES)


async def test_defaults_and_types_survive_a_round_trip(database: Database) -> None:
    role = Role(name="Coder", base_prompt="You write code.", created_by="anna", tools=["files.*", "meta"])
    await role.save()
    orchestration = Orchestration(name="Brief", created_by="anna")
    await orchestration.save()
    version = OrchestrationVersion(
        orchestration_id=orchestration.id, number=1, document={"limits": {}}, created_by="anna"
    )
    await version.save()
    step = OrchestrationStep(version_id=version.id, name="Write", order=0, kind="agent", role_id=role.id)
    await step.save()
    async with database.transaction():
        await OrchestrationVersion.raw(MARK)
        await OrchestrationVersion.update(
            {"status": "published", "digest": "sha256:" + "0" * 64, "max_step_runs": 1, "published_at": role.created_at}
        ).where(OrchestrationVersion.id == version.id)
    execution = Execution(version_id=version.id, input={"topic": "tea"}, started_by={"kind": "human", "name": "anna"})
    await execution.save()
    await Inbox(execution_id=execution.id, kind="signal", sender="anna").save()
    await Worker(name="first").save()

    read = await OrchestrationStep.select(
        OrchestrationStep.name,
        OrchestrationStep.role_id.tools,
        OrchestrationStep.version_id.status,
        OrchestrationStep.version_id.document,
        OrchestrationStep.max_retries,
        OrchestrationStep.condition,
    ).output(load_json=True)
    [stored] = await Execution.select().output(load_json=True)
    clock = await database.pool.fetchval("SELECT clock_timestamp()")

    assert read == [
        {
            "name": "Write",
            "role_id.tools": ["files.*", "meta"],
            "version_id.status": "published",
            "version_id.document": {"limits": {}},
            "max_retries": 0,
            "condition": None,
        }
    ]
    assert (stored["status"], stored["input"], stored["epoch"], stored["owner"]) == (
        "queued",
        {"topic": "tea"},
        0,
        None,
    )
    assert max(stored["created_at"], stored["available_at"]) <= clock  # the message has made it due
    assert await Inbox.count() == await Worker.count() == 1


async def test_saving_a_role_that_somebody_else_has_changed_is_refused(database: Database) -> None:
    await Role(name="Coder", base_prompt="You write code.", created_by="anna").save()
    mine, theirs = [(await Role.objects())[0] for _ in range(2)]
    theirs.base_prompt = "You write Rust."
    await theirs.save()

    mine.description = "writes code"
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await mine.save()

    assert refusal_of(refusal.value).rule == "role__version_is_counted"


def _described(column: Column) -> tuple[str, str, str, int | None, bool]:
    if isinstance(column, Array):
        return (column._meta.name, "ARRAY", f"_{TYPES[column.base_column.column_type][1]}", None, column._meta.null)
    target = column._foreign_key_meta.resolved_target_column if isinstance(column, ForeignKey) else column
    data_type, udt_name = TYPES[target.column_type.partition("(")[0]]
    return (column._meta.name, data_type, udt_name, getattr(target, "length", None), column._meta.null)

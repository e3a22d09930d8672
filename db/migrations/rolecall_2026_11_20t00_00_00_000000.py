"""Run the scripts of `sql/`: CHECKs, partial indexes, triggers and composite keys are beyond Piccolo's columns."""

from pathlib import Path

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

from db.migrations import APP_NAME

ID = "2026-11-20T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "initial schema"

# The schema, then what makes it comfortable for people with a SQL client.
NAMES = (
    "common", "roles", "orchestrations", "executions", "history", "budgets", "answers", "metrics", "access", "models",
    "tools", "audit", "hints", "rights", "views", "functions", "comments",
)
SCRIPTS = [Path(__file__).parent / "sql" / f"0001_{name}.sql" for name in NAMES]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name=APP_NAME, description=DESCRIPTION)
    manager.add_raw(_run_scripts)
    manager.add_raw_backwards(_refuse)
    return manager


async def _run_scripts() -> None:
    # Piccolo has opened a transaction; only its connection takes a script of many statements as it stands.
    connection = engine_finder().current_transaction.get().connection
    # A user called rolecall would else make everything in the schema of that name, as soon as that is there.
    await connection.execute("SET LOCAL search_path = public")
    for script in SCRIPTS:
        await connection.execute(script.read_text("utf-8"))
    await connection.execute("SELECT database_roles_establish()")


async def _refuse() -> None:
    raise RuntimeError("nothing comes before the first migration; to start over, drop the database")

"""Run `sql/0001_initial.sql`: CHECKs, partial indexes, triggers and composite keys are beyond Piccolo's columns."""

from pathlib import Path

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

from db.migrations import APP_NAME

ID = "2026-11-20T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "initial schema"

SCRIPT = Path(__file__).parent / "sql" / "0001_initial.sql"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name=APP_NAME, description=DESCRIPTION)
    manager.add_raw(_run_script)
    manager.add_raw_backwards(_refuse)
    return manager


async def _run_script() -> None:
    # Piccolo has opened a transaction; only its connection takes a script of many statements as it stands.
    await engine_finder().current_transaction.get().connection.execute(SCRIPT.read_text("utf-8"))


async def _refuse() -> None:
    raise RuntimeError("nothing comes before the first migration; to start over, drop the database")

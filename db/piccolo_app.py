"""What Piccolo knows of us: the tables and where their migrations are."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from db.migrations import APP_NAME
from db.tables import TABLES

APP_CONFIG = AppConfig(
    app_name=APP_NAME,
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=list(TABLES),
    migration_dependencies=[],
    commands=[],
)

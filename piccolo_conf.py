"""Where the `piccolo` command finds the database, `ROLECALL_DATABASE_URL`, and our tables."""

import os

from piccolo.conf.apps import AppRegistry
from piccolo.engine.postgres import PostgresEngine

from db.connection import SchemaEngine

APP_REGISTRY = AppRegistry(apps=["db.piccolo_app"])


def __getattr__(name: str) -> PostgresEngine:
    # `DB` is made when asked for, so that `db.migrate` can put its own engine here without a server to look for.
    if name != "DB":
        raise AttributeError(name)
    url = os.environ.get("ROLECALL_DATABASE_URL")
    if not url:
        raise RuntimeError(
            "ROLECALL_DATABASE_URL is not set; piccolo needs it, e.g. postgresql://user@localhost/rolecall"
        )
    return globals().setdefault("DB", SchemaEngine(url))

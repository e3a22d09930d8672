"""Workers: the processes that run executions."""

from piccolo.columns import UUID, Integer, Text, Timestamptz
from piccolo.table import Table
from uuid_utils.compat import uuid7

from db.tables.clock import DatabaseClock


class Worker(Table, tablename="worker"):
    """A process that runs executions.

    Its heartbeat is the only lease there is: one row per worker, however many executions it owns. A row that is older
    than its lease is deleted by whoever sees it first, which gives the worker's executions back.
    """

    id = UUID(primary_key=True, default=uuid7)
    name = Text(null=False, default=None, help_text="For people: host and process.")
    started_at = Timestamptz(null=False, default=DatabaseClock())
    heartbeat_at = Timestamptz(null=False, default=DatabaseClock())
    lease_seconds = Integer(null=False, default=15)

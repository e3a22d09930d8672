"""Requests to start: executions that somebody wants from SQL."""

from piccolo.columns import JSONB, UUID, Text, Timestamptz, Varchar
from piccolo.table import Table
from uuid_utils.compat import uuid7

from db.tables.clock import DatabaseClock


class ExecutionRequest(Table, tablename="execution_request"):
    """An execution that somebody wants started from SQL, with `rolecall.run`.

    Only a server starts executions. It answers in the row: with the id of the execution, or with problems. The database
    writes who asks, when, and the id that the execution will have, whatever the statement says.
    """

    id = UUID(primary_key=True, default=uuid7)
    orchestration = Varchar(length=100, null=False, default=None, help_text="Its name.")
    input = JSONB(null=False, default="{}")
    idempotency_key = Varchar(length=200, null=True, default=None, help_text="Unique for each who asks.")
    requested_by = Text(null=False, default=None, help_text="The database user of the session.")
    requested_at = Timestamptz(null=False, default=DatabaseClock())
    answered_at = Timestamptz(null=True, default=None)
    execution_id = UUID(
        null=True, default=None, help_text="What was started; its own id, unless the key was used before."
    )
    problems = JSONB(null=False, default="[]", help_text="Why nothing was started.")

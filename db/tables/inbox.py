"""The inbox: messages to executions."""

from piccolo.columns import JSONB, BigSerial, ForeignKey, OnDelete, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.tables.clock import DatabaseClock
from db.tables.execution import Execution


class Inbox(Table, tablename="inbox"):
    """A message to an execution: a signal, a decision, a cancel, a child's end.

    Only its owner writes an execution's history, so everybody else leaves a message, with which the database wakes it.
    """

    id = BigSerial(primary_key=True)
    execution_id = ForeignKey(Execution, null=False, default=None, on_delete=OnDelete.restrict)
    kind = Varchar(length=None, null=False, default=None)
    payload = JSONB(null=False, default="{}")
    sender = Text(null=False, default=None, help_text="The principal's name.")
    created_at = Timestamptz(null=False, default=DatabaseClock())

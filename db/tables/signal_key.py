"""Signal keys: by which a signal that is sent again is known."""

from piccolo.columns import ForeignKey, OnDelete, Timestamptz, Varchar
from piccolo.table import Table

from db.tables.clock import DatabaseClock
from db.tables.execution import Execution


class SignalKey(Table, tablename="signal_key"):
    """The idempotency key of a signal to an execution, and the digest of what was sent with it.

    The signal itself is a message that leaves the inbox when it is read.
    """

    # The key is (execution_id, key); Piccolo wants a single column. Nothing of ours fetches a row by this key alone.
    key = Varchar(length=200, primary_key=True, null=False, default=None)
    execution_id = ForeignKey(Execution, null=False, default=None, on_delete=OnDelete.cascade)
    request_digest = Varchar(length=None, null=False, default=None)
    created_at = Timestamptz(null=False, default=DatabaseClock())

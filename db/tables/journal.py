"""The journal: what happened in each execution."""

from piccolo.columns import UUID, BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.tables.clock import DatabaseClock


class Journal(Table, tablename="journal"):
    """One thing that happened in an execution. Append-only, and the only history there is.

    The state of an execution is the fold of its rows by `seq`. There is no foreign key to `execution`: a trigger looks
    once for each statement whether its rows are written under the present epochs. The rows lie in a partition for each
    month in which executions start. For people there is the view `journal_event`.
    """

    # The key is (execution_id, seq); Piccolo wants a single column. Nothing of ours fetches a row by this key alone.
    execution_id = UUID(primary_key=True, default=None)
    seq = Integer(null=False, default=None)
    epoch = BigInt(null=False, default=0, help_text="Under which it was written.")
    kind = Varchar(length=None, null=False, default=None, help_text="The event's type.")
    path = Text(null=False, default="", help_text="The step instance, e.g. `Duel[2]/Critic`; empty: the execution.")
    attempt = Integer(null=False, default=0)
    payload = Text(null=False, default=None, help_text="JSON, exactly as the engine wrote it.")
    recorded_at = Timestamptz(null=False, default=DatabaseClock())

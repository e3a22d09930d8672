"""Idempotency keys: what was made under them, and what the caller was told."""

from piccolo.columns import JSON, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.tables.clock import DatabaseClock


class IdempotencyKey(Table, tablename="idempotency_key"):
    """A call that has made something, and its answer, which the same call gets again.

    It is written in the transaction of what was made, and goes a day later with `services.retention`.
    """

    # The key is (principal, key); Piccolo wants a single column. Nothing of ours fetches a row by this one alone.
    principal = Text(primary_key=True, default=None, help_text="Kind and name of who called.")
    key = Varchar(length=200, null=False, default=None)
    procedure = Varchar(length=None, null=False, default=None)
    request_digest = Varchar(length=None, null=False, default=None, help_text="Tells the same key with another body.")
    answer = JSON(null=False, default=None, help_text="As it was given, byte by byte.")
    created_at = Timestamptz(null=False, default=DatabaseClock())

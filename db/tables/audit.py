"""The audit: every change of a definition, a role, a token or a session."""

from piccolo.columns import JSONB, UUID, BigInt, BigSerial, Bytea, Text, Timestamptz
from piccolo.table import Table


class Audit(Table, tablename="audit"):
    """One change of one row, whoever made it and however. Written by triggers, append-only, chained by hash.

    `rolecall.actor` and `rolecall.channel`, set for a transaction, say who makes its changes and by which way; without
    them it is the database user, by `sql`.
    """

    seq = BigInt(primary_key=True, default=None, help_text="From 1 without a gap, in the order of the commits.")
    at = Timestamptz(null=False, default=None)
    actor = Text(null=False, default=None, help_text="Who, as the channel says, or else the database user.")
    channel = Text(null=False, default=None, help_text="rpc, meta, cli, admin, or sql for everything else.")
    db_user = Text(null=False, default=None, help_text="As whom the session was opened.")
    action = Text(null=False, default=None, help_text="insert, update or delete.")
    noun = Text(null=False, default=None, help_text="The table.")
    subject = UUID(null=False, default=None, help_text="The id of the row.")
    before = JSONB(null=True, default=None, help_text="The row as it was, without its secrets.")
    after = JSONB(null=True, default=None, help_text="The row as it is, without its secrets.")
    hash = Bytea(null=False, default=None, help_text="SHA-256 of the hash before and of everything here.")


class AuditPending(Table, tablename="audit_pending"):
    """What a transaction has changed, while it commits. Nobody ever sees a row of it."""

    number = BigSerial(primary_key=True, help_text="The order of the changes.")
    action = Text(null=False, default=None)
    noun = Text(null=False, default=None)
    subject = UUID(null=False, default=None)
    before = JSONB(null=True, default=None)
    after = JSONB(null=True, default=None)

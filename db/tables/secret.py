"""Secrets: what must not be read, such as the keys of providers."""

from piccolo.columns import UUID, Array, Text, Timestamptz, Varchar
from piccolo.table import Table
from uuid_utils.compat import uuid7


class Secret(Table, tablename="secret"):
    """A text that was encrypted before it came here; bound to its row and to the hosts that it may be sent to."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=100, null=False, default=None, unique=True)
    description = Text(null=False, default="")
    value = Text(null=False, default=None, secret=True, help_text="enc:v1:<key id>:<nonce>:<ciphertext>")
    hosts = Array(base_column=Varchar(length=None), null=False, default=list, help_text="Where it may be sent.")
    key_id = Text(null=True, default=None, help_text="Of the key that it is encrypted with; the database writes it.")
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)
    updated_at = Timestamptz(null=False, help_text="Set by the database at every update.")

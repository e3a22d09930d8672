"""Sessions: browsers that have signed in."""

from piccolo.columns import UUID, Array, Bytea, ForeignKey, OnDelete, Timestamptz, Varchar
from piccolo.table import Table
from uuid_utils.compat import uuid7

from db.tables.token import Token


class Session(Table, tablename="session"):
    """A browser that has signed in, with a token or as a person whom an OIDC issuer names. Found by its hash."""

    id = UUID(primary_key=True, default=uuid7)
    hash = Bytea(null=False, default=None, unique=True, secret=True, help_text="SHA-256 of the cookie: 32 bytes.")
    token_id = ForeignKey(Token, null=True, default=None, on_delete=OnDelete.cascade)
    name = Varchar(length=None, null=True, default=None, help_text="Of the person; of a token it is the token's.")
    scopes = Array(base_column=Varchar(length=None), null=True, default=None, help_text="Of the person.")
    created_at = Timestamptz(null=False)
    last_used_at = Timestamptz(null=False, help_text="To the minute.")
    expires_at = Timestamptz(null=False, default=None)
    revoked_at = Timestamptz(null=True, default=None)

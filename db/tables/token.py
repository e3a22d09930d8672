"""Tokens: who may call."""

from enum import StrEnum

from piccolo.columns import UUID, Array, Bytea, Timestamptz, Varchar
from piccolo.table import Table
from uuid_utils.compat import uuid7


class PrincipalKind(StrEnum):
    """What stands behind a token."""

    human = "human"
    agent = "agent"
    service = "service"


class Token(Table, tablename="token"):
    """Who may call. Found by its prefix, compared by its hash; the secret itself is never stored."""

    id = UUID(primary_key=True, default=uuid7)
    prefix = Varchar(length=16, null=False, default=None, unique=True)
    hash = Bytea(null=False, default=None, secret=True, help_text="SHA-256 of the secret: 32 bytes.")
    name = Varchar(length=None, null=False, default=None, unique=True, help_text="Of the principal.")
    kind = Varchar(length=None, null=False, default=None, choices=PrincipalKind)
    scopes = Array(base_column=Varchar(length=None), null=False, default=list)
    created_at = Timestamptz(null=False)
    expires_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None, help_text="To the minute.")

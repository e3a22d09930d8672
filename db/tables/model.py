"""Models: who runs them, what they can do and what they cost."""

from enum import StrEnum

from piccolo.columns import (
    UUID,
    Array,
    BigInt,
    Boolean,
    ForeignKey,
    Integer,
    Numeric,
    OnDelete,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.readable import Readable
from piccolo.table import Table
from uuid_utils.compat import uuid7

_CAPABILITIES = "tools, json, vision, streaming; null for what is usual."


class ProviderApi(StrEnum):
    """Which of its interfaces a provider is asked by."""

    chat = "chat"
    responses = "responses"


class Provider(Table, tablename="provider"):
    """Who runs models, beside those that the environment of a server names; of the same name, the row counts."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=50, null=False, default=None, unique=True, help_text="As in `openai/gpt-6-luna`.")
    preset = Varchar(length=50, null=False, default=None, help_text="openai, anthropic, … or compatible.")
    base_url = Text(null=True, default=None, help_text="Null for the preset's.")
    api = Varchar(length=None, null=True, default=None, choices=ProviderApi)
    secret = Varchar(length=100, null=True, default=None, help_text="The name of the secret that is its key.")
    key_variable = Varchar(length=100, null=True, default=None, help_text="Instead: the ROLECALL_KEY_… that holds it.")
    timeout_ms = Integer(null=True, default=None, help_text="No call may take longer.")
    max_concurrent = Integer(null=True, default=None, help_text="Calls at a time.")
    requests_per_minute = Integer(null=True, default=None)
    tokens_per_minute = Integer(null=True, default=None)
    capabilities = Array(base_column=Varchar(length=None), null=True, default=None, help_text=_CAPABILITIES)
    is_active = Boolean(null=False, default=True)
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)
    updated_at = Timestamptz(null=False, help_text="Set by the database at every update.")

    @classmethod
    def get_readable(cls) -> Readable:
        return Readable(template="%s", columns=[cls.name])


class Model(Table, tablename="model"):
    """What a provider runs, and what it can do."""

    id = UUID(primary_key=True, default=uuid7)
    provider_id = ForeignKey(Provider, null=False, default=None, on_delete=OnDelete.cascade)
    name = Varchar(length=200, null=False, default=None, help_text="What its provider calls it.")
    capabilities = Array(base_column=Varchar(length=None), null=True, default=None, help_text=_CAPABILITIES)
    context_tokens = Integer(null=True, default=None, help_text="Question and answer together.")
    max_output_tokens = Integer(null=True, default=None)
    only_by_name = Boolean(null=False, default=False, help_text="Chosen only by roles that name it.")
    is_active = Boolean(null=False, default=True)
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)
    updated_at = Timestamptz(null=False, help_text="Set by the database at every update.")


class ModelPrice(Table, tablename="model_price"):
    """What a model costs from when on, in USD per million tokens. Append-only: costs name the price they came of."""

    id = UUID(primary_key=True, default=uuid7)
    number = BigInt(null=False, default=None, unique=True, help_text="Counted by the database.")
    model = Varchar(length=251, null=False, default=None, help_text="As in `openai/gpt-6-luna`.")
    valid_from = Timestamptz(null=False)
    input = Numeric(null=False, default=None)
    cached_input = Numeric(null=True, default=None, help_text="Null for the same as `input`.")
    output = Numeric(null=False, default=None)
    long_from = Integer(null=True, default=None, help_text="Calls with more input tokens cost the long prices.")
    long_input = Numeric(null=True, default=None)
    long_output = Numeric(null=True, default=None)
    note = Text(null=False, default="", help_text="Where the price comes from.")
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)


class DefaultModel(Table, tablename="default_model"):
    """The model of roles without wishes, for all servers: one row, or none for what their environment says."""

    id = UUID(primary_key=True, default=uuid7)
    is_only = Boolean(null=False, default=True, unique=True)
    model = Varchar(length=251, null=False, default=None, help_text="As in `openai/gpt-6-luna`.")
    updated_at = Timestamptz(null=False, help_text="Set by the database at every update.")

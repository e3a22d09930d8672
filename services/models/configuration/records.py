"""What callers see of providers and models, and what they write into their rows."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, UnsetType

from services.models.health import State
from services.models.prices import Price
from services.models.selection import Capability
from services.problem import Problem

Api = Literal["chat", "responses"]
AtLeastOne = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]
ShortName = Annotated[str, Meta(min_length=1, max_length=50)]
RowName = Annotated[str, Meta(min_length=1, max_length=100)]
Url = Annotated[str, Meta(min_length=1, max_length=2_000)]
ModelName = Annotated[str, Meta(min_length=1, max_length=251, description="As in `openai/gpt-6-luna`.")]
OwnName = Annotated[str, Meta(min_length=1, max_length=200, description="What its provider calls it.")]
Capabilities = Annotated[tuple[Capability, ...], Meta(max_length=10)]
# As text, because a number of JSON is no exact decimal.
Usd = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,7}(\.[0-9]{1,12})?$", description="USD per million tokens, as a text such as `0.25`: exact."
    ),
]


class Provider(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A provider as its row says; null is what its preset says, or no limit. Its key is a `secret`, or a variable of
    the servers' environment. `problems` are what keeps it from being used.
    """

    id: UUID
    name: str
    preset: str
    base_url: str | None
    api: Api | None
    secret: str | None
    key_variable: str | None
    timeout_ms: int | None
    max_concurrent: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    capabilities: tuple[str, ...] | None
    is_active: bool
    created_by: str
    created_at: datetime
    updated_at: datetime
    problems: tuple[Problem, ...] = ()


class ProviderChanges(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change about a provider; what is left out stays as it is, and null is what its preset says."""

    name: ShortName | UnsetType = msgspec.UNSET
    preset: ShortName | UnsetType = msgspec.UNSET
    base_url: Url | UnsetType | None = msgspec.UNSET
    api: Api | UnsetType | None = msgspec.UNSET
    secret: RowName | UnsetType | None = msgspec.UNSET
    key_variable: RowName | UnsetType | None = msgspec.UNSET
    timeout_ms: Milliseconds | UnsetType | None = msgspec.UNSET
    max_concurrent: AtLeastOne | UnsetType | None = msgspec.UNSET
    requests_per_minute: AtLeastOne | UnsetType | None = msgspec.UNSET
    tokens_per_minute: AtLeastOne | UnsetType | None = msgspec.UNSET
    capabilities: Capabilities | UnsetType | None = msgspec.UNSET
    is_active: bool | UnsetType = msgspec.UNSET


class ModelChanges(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to say of a model; what is left out stays as it is, and null is what its provider says, or not known."""

    capabilities: Capabilities | UnsetType | None = msgspec.UNSET
    context_tokens: AtLeastOne | UnsetType | None = msgspec.UNSET
    max_output_tokens: AtLeastOne | UnsetType | None = msgspec.UNSET
    only_by_name: bool | UnsetType = msgspec.UNSET
    is_active: bool | UnsetType = msgspec.UNSET


class ModelRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A model as its row says."""

    id: UUID
    name: str
    capabilities: tuple[str, ...] | None
    context_tokens: int | None
    max_output_tokens: int | None
    only_by_name: bool
    is_active: bool
    created_by: str
    created_at: datetime
    updated_at: datetime


class ModelHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How well a model does, as its calls of late have shown: `unknown` without any, `degraded` when it fails or takes
    its time more often than it should, `down` while it is not called because its last calls failed. `reason` says why;
    `failureRate` goes from 0 to 1, and `seconds` is what an answer takes.
    """

    state: State
    reason: str
    retry_after_seconds: float | None
    failure_rate: float
    seconds: float | None


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A model that can be called, by its `name` in full. `price` is null where it is not known, and so are
    `contextTokens` and `maxOutputTokens`. With `servesOthers` its provider runs other models too, for roles that name
    them; with `onlyByName` it is for roles that name it. `health` is how its calls went in the process that answers.
    """

    name: str
    capabilities: tuple[str, ...]
    context_tokens: int | None
    max_output_tokens: int | None
    price: Price | None
    health: ModelHealth
    is_default: bool
    serves_others: bool
    only_by_name: bool


class ModelList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The models that can be called, the default first; and what keeps rows from being any of them."""

    items: tuple[Model, ...]
    problems: tuple[Problem, ...]


class ModelCheck(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a model has answered when it was asked just now, and how long that took; if not, why."""

    model: str
    is_available: bool
    duration_ms: int
    problem: str | None = None


class NewPrice(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a model costs. Requests with more than `longFrom` input tokens cost the `long` prices throughout."""

    input: Usd
    output: Usd
    cached_input: Usd | None = None
    long_from: AtLeastOne | None = None
    long_input: Usd | None = None
    long_output: Usd | None = None


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A price that was put in. Costs that were reckoned with it name it as `row:<number>`."""

    id: UUID
    number: int
    model: str
    valid_from: datetime
    input: Decimal
    cached_input: Decimal | None
    output: Decimal
    long_from: int | None
    long_input: Decimal | None
    long_output: Decimal | None
    note: str
    created_by: str
    created_at: datetime

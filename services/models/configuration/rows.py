"""What rows say of models, read at one moment."""

from decimal import Decimal
from typing import Any

import msgspec
from asyncpg import Record

from services import connections
from services.models.limits import Limits
from services.models.presets import Api
from services.models.prices import Price
from services.models.selection import Capability

_PROVIDERS = """
SELECT name, preset, base_url, api, secret, key_variable, timeout_ms, max_concurrent, requests_per_minute,
  tokens_per_minute, capabilities, is_active
FROM provider ORDER BY name
"""
_MODELS = """
SELECT provider.name AS provider, model.name, model.capabilities, context_tokens, max_output_tokens, only_by_name
FROM model JOIN provider ON provider.id = provider_id WHERE model.is_active AND provider.is_active
ORDER BY provider.name, model.created_at, model.id
"""
_PRICES = """
SELECT DISTINCT ON (model) model, number, input, cached_input, output, long_from, long_input, long_output
FROM model_price WHERE valid_from <= clock_timestamp() ORDER BY model, valid_from DESC, number DESC
"""


class ProviderRow(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as its row has it."""

    name: str
    preset: str
    base_url: str | None = None
    api: Api | None = None
    secret: str | None = None
    key_variable: str | None = None
    capabilities: tuple[Capability, ...] | None = None
    limits: Limits = Limits()
    is_active: bool = True


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model that may be asked, as its row has it; `provider` is the name of one that may be asked."""

    provider: str
    name: str
    capabilities: tuple[Capability, ...] | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    only_by_name: bool = False


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """All that rows say: the prices that hold now, by "provider/model", and the model that was switched to."""

    providers: tuple[ProviderRow, ...] = ()
    models: tuple[ModelRow, ...] = ()
    prices: dict[str, Price] = {}
    default: str | None = None


async def read() -> Rows:
    """What stands in the tables at this moment."""
    database = connections.database()
    async with database.snapshot():
        default = await database.fetchrow("SELECT model FROM default_model")
        return Rows(
            providers=tuple(_provider(row) for row in await database.fetch(_PROVIDERS)),
            models=tuple(ModelRow(**_with_tuple(row)) for row in await database.fetch(_MODELS)),
            prices={row["model"]: _price(row) for row in await database.fetch(_PRICES)},
            default=None if default is None else default["model"],
        )


def _provider(row: Record) -> ProviderRow:
    said = _with_tuple(row)
    timeout_ms = said.pop("timeout_ms")
    limits = Limits(
        **{name: said.pop(name) for name in ("max_concurrent", "requests_per_minute", "tokens_per_minute")},
        timeout_seconds=None if timeout_ms is None else timeout_ms / 1000,
    )
    return ProviderRow(**said, limits=limits)


def _with_tuple(row: Record) -> dict[str, Any]:
    said = dict(row)
    if said["capabilities"] is not None:
        said["capabilities"] = tuple(said["capabilities"])
    return said


def _price(row: Record) -> Price:
    return Price(
        input=row["input"],
        output=row["output"],
        long_from=row["long_from"],
        long_input=row["long_input"] or Decimal(0),
        long_output=row["long_output"] or Decimal(0),
        cached_input=row["cached_input"],
        version=f"row:{row['number']}",
    )

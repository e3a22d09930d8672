"""provider.*: who runs models, beside those that the environment of the servers names."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services.listing import Limit
from services.models.configuration import offers, providers
from services.models.configuration.records import (
    Api,
    AtLeastOne,
    Capabilities,
    Milliseconds,
    ModelCheck,
    Provider,
    ProviderChanges,
    RowName,
    ShortName,
    Url,
)

ProviderName = Annotated[str, Meta(min_length=1, max_length=50)]
ProviderReference = Annotated[str, Meta(min_length=1, max_length=100, description="A provider's name or id.")]


@query(meta=Needs("models.write"))
async def list_(ctx: Context, *, limit: Limit = 100, after: ProviderName | None = None) -> list[Provider]:
    """Providers that have rows, by name, each with the `problems` that keep it from being used; `model.list` shows what
    all of them offer. `after` goes on behind a name. Needs models.write.
    """
    return await providers.list_(ctx.caller, ctx.models, limit=limit, after=after)


@query(meta=Needs("models.write"), examples=[Example(summary="By its name.", input={"provider": "gateway"})])
async def get(ctx: Context, *, provider: ProviderReference) -> Provider:
    """The provider of that name or id. NOT_FOUND when none has a row. Needs models.write."""
    return await providers.get(ctx.caller, ctx.models, provider=provider)


@mutation(
    meta=Needs("models.write"),
    examples=[
        Example(
            summary="What speaks as OpenAI does, somewhere else.",
            input={"name": "gateway", "preset": "compatible", "baseUrl": "https://llm.example.com/v1"},
        )
    ],
)
async def create(
    ctx: Context,
    *,
    name: ShortName,
    preset: ShortName,
    base_url: Url | None = None,
    api: Api | None = None,
    secret: RowName | None = None,
    key_variable: RowName | None = None,
    timeout_ms: Milliseconds | None = None,
    max_concurrent: AtLeastOne | None = None,
    requests_per_minute: AtLeastOne | None = None,
    tokens_per_minute: AtLeastOne | None = None,
    capabilities: Capabilities | None = None,
    is_active: bool = True,
) -> Provider:
    """A new provider like its `preset`, and from now on in place of one of the same name that the environment names.
    Its key is that of the environment, at the preset's own address; a `secret`, sent only where that may go; or a
    `keyVariable` ROLECALL_KEY_... of the servers' environment. What keeps it from being used is in `problems`. CONFLICT
    when the name is taken; BAD_REQUEST with `problems` when there is no such preset. Needs models.write.
    """
    changes = ProviderChanges(
        base_url=base_url,
        api=api,
        secret=secret,
        key_variable=key_variable,
        timeout_ms=timeout_ms,
        max_concurrent=max_concurrent,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        capabilities=capabilities,
        is_active=is_active,
    )
    return await providers.create(ctx.caller, ctx.models, name=name, preset=preset, changes=changes)


@mutation(
    meta=Needs("models.write"),
    examples=[
        Example(summary="At most five calls at a time.", input={"provider": "gateway", "changes": {"maxConcurrent": 5}})
    ],
)
async def update(ctx: Context, *, provider: ProviderReference, changes: ProviderChanges) -> Provider:
    """The provider, changed; fields that `changes` leaves out stay. Calls that are under way go on with what it was.
    NOT_FOUND, CONFLICT and BAD_REQUEST as `provider.get` and `provider.create`. Needs models.write.
    """
    return await providers.update(ctx.caller, ctx.models, provider=provider, changes=changes)


@mutation(meta=Needs("models.write"), examples=[Example(summary="By its name.", input={"provider": "gateway"})])
async def delete(ctx: Context, *, provider: ProviderReference) -> Provider:
    """The provider, which is gone now with its models; one of the environment that it took the place of is back.
    NOT_FOUND when none has a row. Needs models.write.
    """
    return await providers.delete(ctx.caller, ctx.models, provider=provider)


@mutation(meta=Needs("models.write"), examples=[Example(summary="By its name.", input={"provider": "offline"})])
async def test(ctx: Context, *, provider: ProviderName) -> ModelCheck:
    """Whether the first model of the provider answers when it is asked for a word now, which may cost a few tokens;
    also of a provider that the environment names. NOT_FOUND when it offers none. Needs models.write.
    """
    return await offers.test(ctx.caller, ctx.models, provider=provider)

"""model.*: which models can be called, which is the default, and what they cost."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services.listing import Instant, RoleReference
from services.models.configuration import models, offers
from services.models.configuration.records import (
    AtLeastOne,
    Capabilities,
    Model,
    ModelChanges,
    ModelCheck,
    ModelList,
    ModelName,
    ModelPrice,
    ModelRow,
    NewPrice,
    Usd,
)
from services.models.selection import Explanation

Note = Annotated[str, Meta(max_length=2_000, description="Where the price comes from, for people.")]


@query(meta=Needs("models.read"))
async def list_(ctx: Context) -> ModelList:
    """Every model that can be called, the default first: those of the servers' environment and those of rows; and the
    `problems` that keep rows from being any of them. Needs models.read.
    """
    return await offers.list_(ctx.caller, ctx.models)


@query(meta=Needs("models.read"), examples=[Example(summary="By its name.", input={"model": "offline/extractive"})])
async def get(ctx: Context, *, model: ModelName) -> Model:
    """The model of that name; also one that its provider runs for roles that name it. NOT_FOUND, with the name that may
    have been meant, when nobody offers it. Needs models.read.
    """
    return await offers.get(ctx.caller, ctx.models, model=model)


@query(meta=Needs("models.read", "roles.read"), examples=[Example(summary="By its name.", input={"role": "Critic"})])
async def explain(ctx: Context, *, role: RoleReference) -> Explanation:
    """Which model an agent in the role would get now, which ones after it when calls fail, and every other with what is
    against it, as the process that answers sees it. NOT_FOUND when there is no such role. Needs models.read and
    roles.read.
    """
    return await offers.explain(ctx.caller, ctx.models, role=role)


@mutation(meta=Needs("models.write"), examples=[Example(summary="By its name.", input={"model": "offline/extractive"})])
async def check(ctx: Context, *, model: ModelName) -> ModelCheck:
    """Whether the model answers when it is asked for a word now, which may cost a few tokens; if not, why. NOT_FOUND
    when nobody offers it. Needs models.write.
    """
    return await offers.check(ctx.caller, ctx.models, model=model)


@mutation(
    meta=Needs("models.write"), examples=[Example(summary="For all servers.", input={"model": "offline/extractive"})]
)
async def switch(ctx: Context, *, model: ModelName | None) -> Model:
    """The model that roles without wishes get from now on, on all servers; null for what their environment says. It is
    asked for a word first. NOT_FOUND, with the name that may have been meant, when nobody offers it; CONFLICT when it
    does not answer, and then everything stays as it is. Needs models.write.
    """
    return await offers.switch(ctx.caller, ctx.models, model=model)


@mutation(
    meta=Needs("models.write"),
    examples=[
        Example(summary="Of a provider that has a row.", input={"model": "gateway/large", "contextTokens": 128000})
    ],
)
async def create(
    ctx: Context,
    *,
    model: ModelName,
    capabilities: Capabilities | None = None,
    context_tokens: AtLeastOne | None = None,
    max_output_tokens: AtLeastOne | None = None,
    only_by_name: bool = False,
    is_active: bool = True,
) -> ModelRow:
    """A model that can be called from now on, of a provider that has a row; null is what the provider says, or not
    known. NOT_FOUND when the provider has none, CONFLICT when it has that model. Needs models.write.
    """
    changes = ModelChanges(
        capabilities=capabilities,
        context_tokens=context_tokens,
        max_output_tokens=max_output_tokens,
        only_by_name=only_by_name,
        is_active=is_active,
    )
    return await models.create(ctx.caller, model=model, changes=changes)


@mutation(
    meta=Needs("models.write"),
    examples=[
        Example(
            summary="For roles that name it only.", input={"model": "gateway/large", "changes": {"onlyByName": True}}
        )
    ],
)
async def update(ctx: Context, *, model: ModelName, changes: ModelChanges) -> ModelRow:
    """The model, changed; fields that `changes` leaves out stay. NOT_FOUND when it has no row. Needs models.write."""
    return await models.update(ctx.caller, model=model, changes=changes)


@mutation(meta=Needs("models.write"), examples=[Example(summary="By its name.", input={"model": "gateway/large"})])
async def delete(ctx: Context, *, model: ModelName) -> ModelRow:
    """The model, whose row is gone now. NOT_FOUND when it has none. Needs models.write."""
    return await models.delete(ctx.caller, model=model)


@mutation(
    meta=Needs("models.write"),
    examples=[
        Example(
            summary="From now on.", input={"model": "gateway/large", "input": "0.25", "output": "1", "note": "contract"}
        )
    ],
)
async def set_price(
    ctx: Context,
    *,
    model: ModelName,
    input: Usd,
    output: Usd,
    cached_input: Usd | None = None,
    long_from: AtLeastOne | None = None,
    long_input: Usd | None = None,
    long_output: Usd | None = None,
    valid_from: Instant | None = None,
    note: Note = "",
) -> ModelPrice:
    """What calls of the model cost from `validFrom` on, or from now on, in USD per million tokens; prices are never
    changed, another one takes their place. What was called before keeps its cost. Requests with more than `longFrom`
    input tokens cost `longInput` and `longOutput` throughout. BAD_REQUEST when these are not given together. Needs
    models.write.
    """
    price = NewPrice(
        input=input,
        output=output,
        cached_input=cached_input,
        long_from=long_from,
        long_input=long_input,
        long_output=long_output,
    )
    return await models.set_price(ctx.caller, model=model, price=price, valid_from=valid_from, note=note)

"""token.*: who may call."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services import tokens
from services.definitions.document import Name
from services.listing import Limit
from services.principal import Kind, Scope
from services.tokens import Days, NewToken, Token

TokenName = Annotated[str, Meta(max_length=100)]
TokenReference = Annotated[str, Meta(min_length=1, max_length=100, description="A token's name or id.")]


@query(meta=Needs("tokens.manage"))
async def list_(ctx: Context, *, limit: Limit = 100, after: TokenName | None = None) -> list[Token]:
    """Tokens by name, never their texts: those that hold no scope that the caller lacks, revoked and expired ones too.
    `after` goes on behind a name. Needs tokens.manage.
    """
    return await tokens.list_(ctx.caller, limit=limit, after=after)


@mutation(
    meta=Needs("tokens.manage"),
    examples=[
        Example(
            summary="For a script, for a month.",
            input={"name": "deploy", "scopes": ["orchestrations.write", "roles.write"], "expiresInDays": 30},
        )
    ],
)
async def create(
    ctx: Context, *, name: Name, scopes: tuple[Scope, ...], kind: Kind = "service", expires_in_days: Days | None = None
) -> NewToken:
    """A new token, whose text `token` is shown this once; without `expiresInDays` it holds until it is revoked.
    CONFLICT when the name is taken; FORBIDDEN when the caller lacks one of the scopes, or is no person and wants a
    token for one; BAD_REQUEST with `problems` when an agent would hold tokens.manage. Needs tokens.manage.
    """
    return await tokens.create(ctx.caller, name=name, scopes=scopes, kind=kind, expires_in_days=expires_in_days)


@mutation(meta=Needs("tokens.manage"), examples=[Example(summary="By its name.", input={"token": "deploy"})])
async def revoke(ctx: Context, *, token: TokenReference) -> Token:
    """The token of that name or id, of no use from the next call on; the sessions that it began end with it. Revoking
    it again changes nothing. NOT_FOUND when there is none; FORBIDDEN when it holds a scope that the caller lacks. Needs
    tokens.manage.
    """
    return await tokens.revoke(ctx.caller, token=token)

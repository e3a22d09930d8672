"""secret.*: what must not be read, such as the keys of providers."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services import secrets
from services.definitions.document import Name
from services.listing import Limit
from services.secrets import Rotated, SecretEntry
from services.secrets.records import Host, SecretText
from services.secrets.secret import Secret

SecretName = Annotated[str, Meta(min_length=1, max_length=100, description="A secret's name.")]
Hosts = Annotated[
    tuple[Host, ...], Meta(max_length=100, description="Where it may be sent, such as `api.openai.com`; nowhere else.")
]
Description = Annotated[str, Meta(max_length=2_000, description="What it opens, for people.")]


@query(meta=Needs("secrets.write"))
async def list_(ctx: Context, *, limit: Limit = 100, after: SecretName | None = None) -> list[SecretEntry]:
    """Secrets by name, never their values: where each may be sent, which key it is encrypted with, and what keeps this
    server from reading it. `after` goes on behind a name. Needs secrets.write.
    """
    return await secrets.list_(ctx.caller, limit=limit, after=after)


@mutation(
    meta=Needs("secrets.write"),
    examples=[
        Example(
            summary="The key of a provider.",
            input={"name": "Gateway key", "value": "sk-...", "hosts": ["llm.example.com"]},
        )
    ],
)
async def set_(
    ctx: Context, *, name: Name, value: SecretText, hosts: Hosts, description: Description | None = None
) -> SecretEntry:
    """The secret of that name, made or given another value, which never comes back. What uses it takes the new value
    within seconds; it is sent to the `hosts` and to no others. BAD_REQUEST with `problems` when a host is none;
    CONFLICT when this server has no key to encrypt it with. Needs secrets.write.
    """
    return await secrets.set_(ctx.caller, name=name, value=Secret(value), hosts=hosts, description=description)


@mutation(meta=Needs("secrets.write"), examples=[Example(summary="By its name.", input={"secret": "Gateway key"})])
async def delete(ctx: Context, *, secret: SecretName) -> SecretEntry:
    """The secret, which is gone now. NOT_FOUND when there is none; CONFLICT while a provider has it as its key. Needs
    secrets.write.
    """
    return await secrets.delete(ctx.caller, secret=secret)


@mutation(meta=Needs("secrets.write"), examples=[Example(summary="One of them.", input={"secret": "Gateway key"})])
async def rotate(ctx: Context, *, secret: SecretName | None = None) -> Rotated:
    """Encrypts every secret anew that another key than the servers' newest has encrypted, or one of that name: how many
    those were, and which could not be read. CONFLICT when this server has no key. Needs secrets.write.
    """
    return await secrets.rotate(ctx.caller, secret=secret)

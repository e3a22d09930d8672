"""orchestration.export and orchestration.import: roles and orchestrations as one text."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.procedures.orchestrations import Tags
from api.procedures.parameters import Breaking, Key, Number
from api.rpc import Example, mutation, query
from services import bundles
from services.bundles import Exported, Format, Imported
from services.definitions.document import Name
from services.definitions.yaml12 import MAX_JSON_BYTES

_MAX_NAMES = 500
Names = Annotated[tuple[Name, ...], Meta(max_length=_MAX_NAMES, description="By their names.")]
WithRoles = Annotated[bool, Meta(description="Whether the roles of their steps come with them.")]
BundleText = Annotated[
    str, Meta(min_length=1, max_length=MAX_JSON_BYTES, description="A bundle, a document or a role, in YAML or JSON.")
]
DryRun = Annotated[bool, Meta(description="Whether to say only what it would do.")]

_TEXT = "name: echo\nsteps:\n  - {name: Echo, kind: transform, inputMapping: {said: <<input.topic>>}}\n"


@query(
    meta=Needs("orchestrations.read", "roles.read"),
    examples=[Example(summary="One, with its roles and what it calls.", input={"orchestrations": ["review"]})],
)
async def export(
    ctx: Context,
    *,
    orchestrations: Names = (),
    tags: Tags = (),
    roles: Names = (),
    with_roles: WithRoles = True,
    version: Number | None = None,
    format: Format = "yaml",
) -> Exported:
    """The active versions of these orchestrations, of those with all of `tags`, and these roles, as a text that
    `orchestration.import` takes; without any of the three, all that is active. What they call and the roles of their
    steps come with them. The same definitions give the same text. With `version` it is that one of the one
    orchestration that is named. NOT_FOUND when there is no such thing; CONFLICT when no version is active; BAD_REQUEST
    when the text would be too long to be imported. Needs orchestrations.read and roles.read.
    """
    return await bundles.export(
        ctx.caller,
        names=orchestrations,
        tags=tags,
        role_names=roles,
        with_roles=with_roles,
        version=version,
        format=format,
    )


@mutation(
    meta=Needs("orchestrations.read", "orchestrations.write"),
    examples=[
        Example(summary="What it holds is there then, and active.", input={"text": _TEXT}),
        Example(summary="What would this change?", input={"text": _TEXT, "dryRun": True}),
    ],
)
async def import_(
    ctx: Context,
    *,
    text: BundleText,
    breaking: Breaking = False,
    dry_run: DryRun = False,
    idempotency_key: Key | None = None,
) -> Imported:
    """Each role and orchestration of a text, created or updated by name, all of them or none: what was done, or with
    `dryRun` what would be. What is the same stays at its version; what is new is published, and active. BAD_REQUEST
    with the `problems` of all of it, or with BREAKING_CHANGE as `orchestration.update`; FORBIDDEN when it makes or
    changes roles and the caller lacks roles.write. The same `idempotencyKey` gives the same answer for a day; CONFLICT
    when it was used with another request. Needs orchestrations.read and orchestrations.write, and for roles roles.read.
    """
    return await bundles.import_(
        ctx.caller, text=text, breaking=breaking, dry_run=dry_run, idempotency_key=idempotency_key
    )

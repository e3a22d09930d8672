"""Who acts, and what for."""

from typing import Literal

import msgspec

Scope = Literal[
    "roles.read",
    "roles.write",
    "orchestrations.read",
    "orchestrations.write",
    "executions.read",
    "executions.run",
]
SCOPES: tuple[Scope, ...] = (
    "roles.read",
    "roles.write",
    "orchestrations.read",
    "orchestrations.write",
    "executions.read",
    "executions.run",
)


class Principal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A person, an agent or a service, with the scopes that it holds."""

    kind: Literal["human", "agent", "service"]
    name: str
    scopes: tuple[Scope, ...] = ()

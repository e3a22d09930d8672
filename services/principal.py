"""Who acts, and what for."""

from typing import Literal, get_args

import msgspec

Scope = Literal[
    "roles.read",
    "roles.write",
    "orchestrations.read",
    "orchestrations.propose",
    "orchestrations.write",
    "executions.read",
    "executions.run",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
Kind = Literal["human", "agent", "service"]


class Principal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A person, an agent or a service, with the scopes that it holds."""

    kind: Kind
    name: str
    scopes: tuple[Scope, ...] = ()

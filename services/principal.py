"""Who acts, and what for."""

from collections.abc import Collection
from typing import Literal, get_args

import msgspec

Scope = Literal[
    "roles.read",
    "roles.propose",
    "roles.write",
    "orchestrations.read",
    "orchestrations.propose",
    "orchestrations.write",
    "executions.read",
    "executions.run",
    "models.read",
    "models.write",
    "tools.read",
    "tools.write",
    "secrets.write",
    "budgets.write",
    "tokens.manage",
    "audit.read",
    "admin",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
Kind = Literal["human", "agent", "service"]

# What an agent writes may come from whoever talks to it, so it never hands out rights or money, nor says where prompts
# and keys are sent or which tools are trusted; and what it reads may go there, so it does not see what people have
# changed.
NOT_FOR_AGENTS: frozenset[Scope] = frozenset(
    {"models.write", "tools.write", "secrets.write", "budgets.write", "tokens.manage", "audit.read", "admin"}
)


def may_hold(kind: Kind, scopes: Collection[str]) -> tuple[Scope, ...]:
    """Those of `scopes` that there are and that a principal of this kind may hold, each once.

    >>> may_hold("agent", ["tokens.manage", "roles.read", "roles.reed"])
    ('roles.read',)
    """
    return tuple(scope for scope in SCOPES if scope in scopes and not (kind == "agent" and scope in NOT_FOR_AGENTS))


class Principal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A person, an agent or a service, with the scopes that it holds."""

    kind: Kind
    name: str
    scopes: tuple[Scope, ...] = ()

"""What a document may refer to: the roles and tools that exist."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Catalog:
    """The names a document is checked against.

    `roles` maps each role's name to its id; `tools` are the names that a tool step may call.
    """

    roles: dict[str, UUID] = field(default_factory=dict[str, UUID])
    tools: frozenset[str] = frozenset()

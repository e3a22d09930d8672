"""What a document may refer to: the roles, tools and orchestrations that exist, and the kinds that can be performed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from uuid import UUID

from services.definitions.calls import name_in
from services.definitions.document import KINDS, Kind

# Of a tool. To compile a longer pattern takes long, and it is one of nobody's.
MAX_TOOL_NAME = 100


def is_called(name: str, wish: str) -> bool:
    """Whether the tool `name` is meant by `wish`, a name or a pattern.

    >>> is_called("files.read", "files.*"), is_called("files.read", "files.write")
    (True, False)
    """
    return len(wish) <= MAX_TOOL_NAME and fnmatchcase(name, wish)


@dataclass(frozen=True, slots=True)
class Callee:
    """A version of an orchestration that may be called: what it calls in turn, and the most steps that it can run."""

    calls: frozenset[str] = frozenset()
    max_step_runs: int = 0


@dataclass(frozen=True, slots=True)
class Catalog:
    """The names a document is checked against.

    `roles` maps each role's name to its id; `tools` are the names that a tool step may call, and `tagged` those that
    only agents may, by the tags that their roles list. `kinds` are those that have a performer or need none.
    `orchestrations` are what a step may call, by how it says it: the name for the active version (`Brief`), the name
    and the number for another (`Brief@3`).
    """

    roles: Mapping[str, UUID] = field(default_factory=dict[str, UUID])
    tools: frozenset[str] = frozenset()
    tagged: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    kinds: frozenset[Kind] = frozenset(KINDS)
    orchestrations: Mapping[str, Callee] = field(default_factory=dict[str, Callee])

    def grants(self, wish: str) -> bool:
        """Whether an agent whose step lists `wish`, a name, a pattern or a tag, could be granted anything by it."""
        if wish in self.tagged or any(wish in names for names in self.tagged.values()):
            return True
        return any(is_called(name, wish) for name in self.tools)

    def calls(self, start: str, end: str) -> bool:
        """Whether the call `start` is one of the orchestration `end`, or leads to one, also through others."""
        pending, seen = [start], set[str]()
        while pending:
            call = pending.pop()
            if name_in(call) == end:
                return True
            if call not in seen:
                seen.add(call)
                pending += self.orchestrations.get(call, Callee()).calls
        return False

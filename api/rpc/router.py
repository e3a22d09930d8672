"""Which procedure answers to which name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from api.rpc.names import RESERVED, SEGMENT, nearest, wire_name
from api.rpc.procedure import Procedure

T = TypeVar("T")


@dataclass(frozen=True)
class Family:
    """Procedures that come and go while the router serves: `member` makes the one of a segment, which need not exist.

    A member finds out when it is called. All of them are alike but for the name.
    """

    member: Callable[[str], Procedure[..., Any]]


class Router:
    """Procedures by dotted name, in the order they were given.

    A keyword is a segment of the name, spelled for the wire as parameters are: `Router(list=list_)` and
    `Router(list_=list_)` are the same. A router inside a router adds its keyword and a dot, and so does a family, whose
    members are no part of the list.

    Raises:
        ValueError: a name that is no identifier, that the client cannot call, or that is given twice.
    """

    def __init__(self, **members: "Procedure[..., Any] | Router | Family") -> None:
        flat: dict[str, Procedure[..., Any]] = {}
        families: dict[str, Family] = {}
        for keyword, member in members.items():
            segment = _segment(keyword)
            if isinstance(member, Family):
                if segment in families:
                    raise ValueError(f"there are two families called {segment!r}")
                families[segment] = member
                continue
            if isinstance(member, Router):
                families |= _prefixed(segment, member.families)
            found = {segment: member} if isinstance(member, Procedure) else _prefixed(segment, member.procedures)
            if twice := flat.keys() & found.keys():
                raise ValueError(f"there are two procedures called {min(twice)!r}")
            flat |= found
        self.procedures: Mapping[str, Procedure[..., Any]] = MappingProxyType(flat)
        self.families: Mapping[str, Family] = MappingProxyType(families)

    def get(self, name: str) -> Procedure[..., Any] | None:
        """The procedure of that dotted name; in a family, the one that would have it."""
        return self.procedures.get(name) or self._in_family(name)

    def nearest(self, name: str) -> str | None:
        """The name somebody who wrote `name` most likely meant, if one is near."""
        return nearest(name, self.procedures)

    def __iter__(self) -> Iterator[tuple[str, Procedure[..., Any]]]:
        return iter(self.procedures.items())

    def __len__(self) -> int:
        return len(self.procedures)

    def _in_family(self, name: str) -> Procedure[..., Any] | None:
        prefix, _, segment = name.rpartition(".")
        family = self.families.get(prefix)
        return family.member(segment) if family is not None and SEGMENT.fullmatch(segment) else None


def _segment(keyword: str) -> str:
    segment = wire_name(keyword)
    if not SEGMENT.fullmatch(segment):
        raise ValueError(f"{keyword!r} cannot name a procedure: use letters, digits, _ and $, not a digit first")
    if segment in RESERVED or keyword in RESERVED:
        raise ValueError(f"{keyword!r} cannot name a procedure: the client has a use of its own for it")
    return segment


def _prefixed(segment: str, members: Mapping[str, T]) -> dict[str, T]:
    return {f"{segment}.{name}": member for name, member in members.items()}

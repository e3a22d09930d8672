"""Which procedure answers to which name."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from api.rpc.names import RESERVED, SEGMENT, nearest, wire_name
from api.rpc.procedure import Procedure


class Router:
    """Procedures by dotted name, in the order they were given.

    A keyword is a segment of the name, spelled for the wire as parameters are: `Router(list=list_)` and
    `Router(list_=list_)` are the same. A router inside a router adds its keyword and a dot.

    Raises:
        ValueError: a name that is no identifier, that the client cannot call, or that is given twice.
    """

    def __init__(self, **members: "Procedure[..., Any] | Router") -> None:
        flat: dict[str, Procedure[..., Any]] = {}
        for keyword, member in members.items():
            segment = _segment(keyword)
            found = {segment: member} if isinstance(member, Procedure) else _prefixed(segment, member.procedures)
            if twice := flat.keys() & found.keys():
                raise ValueError(f"there are two procedures called {min(twice)!r}")
            flat |= found
        self.procedures: Mapping[str, Procedure[..., Any]] = MappingProxyType(flat)

    def get(self, name: str) -> Procedure[..., Any] | None:
        """The procedure of that dotted name."""
        return self.procedures.get(name)

    def nearest(self, name: str) -> str | None:
        """The name somebody who wrote `name` most likely meant, if one is near."""
        return nearest(name, self.procedures)

    def __iter__(self) -> Iterator[tuple[str, Procedure[..., Any]]]:
        return iter(self.procedures.items())

    def __len__(self) -> int:
        return len(self.procedures)


def _segment(keyword: str) -> str:
    segment = wire_name(keyword)
    if not SEGMENT.fullmatch(segment):
        raise ValueError(f"{keyword!r} cannot name a procedure: use letters, digits, _ and $, not a digit first")
    if segment in RESERVED or keyword in RESERVED:
        raise ValueError(f"{keyword!r} cannot name a procedure: the client has a use of its own for it")
    return segment


def _prefixed(segment: str, procedures: Mapping[str, Procedure[..., Any]]) -> dict[str, Procedure[..., Any]]:
    return {f"{segment}.{name}": procedure for name, procedure in procedures.items()}

"""Lists, page by page: in an order that the caller chooses, and stable under whatever is added meanwhile.

A cursor names the last row that was given, by its sort key and its id, so the next page begins behind it wherever that
is by then. It also carries a digest of what was asked for: with other filters it would skip rows without saying so.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec

from services import connections
from services.errors import Invalid
from services.problem import Problem

T = TypeVar("T")

Cursor = Annotated[
    str, msgspec.Meta(max_length=1_000, description="The page before this one's `nextCursor`; its list goes on there.")
]
Direction = Literal["asc", "desc"]
Search = Annotated[
    str, msgspec.Meta(min_length=1, max_length=200, description="A part of its name or description, in any case.")
]
Author = Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="The name of who made it.")]

_LIKE = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row has to fulfil: SQL with `{}` for each of its values."""

    text: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """By a column that is never null, whose values are of `type`, and then by id; `name` is its own in a row."""

    column: str
    id: str
    name: str
    type: Any
    descending: bool = False

    def __str__(self) -> str:
        way = "DESC" if self.descending else "ASC"
        keys = dict.fromkeys((self.column, self.id))
        return ", ".join(f"{key} {way}" for key in keys)

    def behind(self, place: "Place") -> Condition:
        """What rows fulfil that come after that place."""
        than = "<" if self.descending else ">"
        if self.column == self.id:
            return Condition(f"{self.id} {than} {{}}", (place.id,))
        return Condition(f"({self.column}, {self.id}) {than} ({{}}, {{}})", (place.key, place.id))


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a page ended: a row's sort key and id, in the list of this digest."""

    key: Any
    id: UUID
    list: str


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True, rename="camel"):
    """A part of a list, in its order. `nextCursor` is the `cursor` of the next page; null when this is the last."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that somebody asked for: its name, its order and whatever narrows it."""

    name: str
    order: Order
    asked: Any

    def place_at(self, cursor: str | None) -> Place | None:
        """Where `cursor` says that the page before ended; None at the beginning.

        Raises:
            Invalid: it is no cursor, or one of another list.
        """
        if cursor is None:
            return None
        try:
            place = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Place)
            key = msgspec.convert(place.key, self.order.type)
        except (ValueError, NotBase64, msgspec.MsgspecError, UnicodeError):
            raise _refused("it is broken; send `nextCursor` as the page before gave it") from None
        if place.list != self._digest:
            raise _refused("it belongs to a list with other filters or in another order; begin this one without it")
        return msgspec.structs.replace(place, key=key)

    def cursor_behind(self, rows: Sequence[Any], limit: int) -> str | None:
        """The cursor of the next page; None unless there is one more row than the page holds."""
        return self._cursor(rows[limit - 1]) if len(rows) > limit else None

    def _cursor(self, row: Any) -> str:
        place = Place(key=row[self.order.name], id=row["id"], list=self._digest)
        return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()

    @property
    def _digest(self) -> str:
        asked = msgspec.json.encode([self.name, str(self.order), self.asked], order="sorted")
        return hashlib.sha256(asked).hexdigest()[:16]


async def page_of(
    listing: Listing,
    select: str,
    conditions: Sequence[Condition],
    read: Callable[[Any], T],
    *,
    cursor: str | None,
    limit: int,
) -> tuple[list[T], str | None]:
    """The rows that `select` finds under the conditions, from the cursor on, each as `read` makes it; and the cursor of
    the next page.

    Raises:
        Invalid: the cursor is none of this list.
    """
    place = listing.place_at(cursor)
    behind = () if place is None else (listing.order.behind(place),)
    text, values = where([*conditions, *behind])
    # The limit stands in the text: a plan that is kept for any limit would sort the whole table.
    query = f"{select} WHERE {text} ORDER BY {listing.order} LIMIT {limit + 1:d}"
    rows = await connections.database().fetch(query, *values)
    return [read(row) for row in rows[:limit]], listing.cursor_behind(rows, limit)


def where(conditions: Iterable[Condition], first: int = 1) -> tuple[str, list[object]]:
    """The conditions as one SQL expression, and its values in their places from `$first` on.

    >>> where([Condition("a = {}", (7,)), Condition("b IN ({}, {})", (8, 9))], first=2)
    ('a = $2 AND b IN ($3, $4)', [7, 8, 9])
    """
    places = count(first)
    texts = [it.text.format(*(f"${next(places)}" for _ in it.values)) for it in conditions]
    return " AND ".join(texts) or "true", [value for it in conditions for value in it.values]


def those_given(asked: Mapping[str, object]) -> list[Condition]:
    """A condition for each text whose value is given, with the value in its place.

    >>> those_given({"a = {}": 1, "b = {}": None})
    [Condition(text='a = {}', values=(1,))]
    """
    return [Condition(text, (value,)) for text, value in asked.items() if value is not None]


def containing(text: str | None) -> str | None:
    r"""The pattern for ILIKE of what contains `text`, read letter by letter.

    >>> containing("50%_\\")
    '%50\\%\\_\\\\%'
    """
    return None if text is None else f"%{text.translate(_LIKE)}%"


def _refused(why: str) -> Invalid:
    return Invalid("the cursor cannot be used", [Problem(code="BAD_CURSOR", path="/cursor", message=why)])

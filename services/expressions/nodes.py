"""What a template is made of: nodes that render themselves."""

from collections.abc import Callable
from typing import Protocol

from services.expressions.errors import EvaluationError
from services.expressions.filters import MAX_OUTPUT_BYTES, apply_filters
from services.expressions.paths import MISSING, Scope
from services.expressions.tags import Tag
from services.expressions.text import least_size, text_of
from services.json import Json


class Room:
    """What one render may still put out."""

    __slots__ = ("_filterable", "_has_container", "_left", "_texts")

    def __init__(self) -> None:
        self._left = MAX_OUTPUT_BYTES
        # By identity, with the values, so that they stay what they are.
        self._texts: dict[int, tuple[Json, str]] = {}
        self._filterable = MAX_OUTPUT_BYTES
        self._has_container = False

    def text_of(self, value: Json) -> str:
        """The value as text. What is large is written once, however many tags insert it."""
        if not isinstance(value, (list, dict)):
            return text_of(value)
        if id(value) not in self._texts:
            self._texts[id(value)] = value, text_of(value)
        return self._texts[id(value)][1]

    def take_text(self, text: str) -> None:
        size = len(text)
        # Counting bytes only near the limit keeps the common case free.
        if size * 4 > self._left:
            size = len(text.encode("utf-8", "surrogatepass"))
        self.take(size)

    def take_inserted(self, value: Json) -> None:
        """One list or object is as large as the context at most; it is many that might multiply it."""
        if isinstance(value, str):
            self.take_text(value)
        elif isinstance(value, (list, dict)):
            if self._has_container:
                self.take_made(value)
            self._has_container = True

    def take_filtered(self, size: int) -> None:
        """What one filter makes and the next makes short again costs time all the same."""
        self._filterable -= size
        if self._filterable < 0:
            raise EvaluationError("TEMPLATE_ERROR", f"the filters give more than {MAX_OUTPUT_BYTES} characters in all")

    def take_made(self, value: Json) -> None:
        self.take(least_size(value, self._left))

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise EvaluationError("TEMPLATE_ERROR", f"the result has more than {MAX_OUTPUT_BYTES} bytes")


class Node(Protocol):
    """A part of a template."""

    def render(self, scope: Scope, room: Room) -> Json: ...


class Constant:
    """What holds no tag."""

    __slots__ = ("value",)

    def __init__(self, value: Json) -> None:
        self.value = value

    def render(self, scope: Scope, room: Room) -> Json:
        return self.value


class Value:
    """A string that is exactly one tag."""

    __slots__ = ("_filters", "_path", "_required", "_source")

    def __init__(self, tag: Tag) -> None:
        self._path = tag.path
        self._filters = tag.filters
        self._required = tag.required
        self._source = tag.source

    def render(self, scope: Scope, room: Room) -> Json:
        value = self.find(scope, room)
        room.take_inserted(value)
        return value

    def find(self, scope: Scope, room: Room) -> Json:
        value = self._path.resolve(scope)
        if value is MISSING:
            if self._required:
                raise EvaluationError("TEMPLATE_ERROR", f"{self._source}: {self._path.missing(scope)}")
            value = None
        if not self._filters:
            return value
        try:
            return apply_filters(self._filters, value, write=room.text_of, made=room.take_filtered)
        except EvaluationError as error:
            raise EvaluationError(error.code, f"{self._source}: {error.message}") from None


class Text:
    """A string with tags among text."""

    __slots__ = ("_fixed_bytes", "_parts")

    def __init__(self, parts: list[str | Tag]) -> None:
        self._parts = [part if isinstance(part, str) else Value(part) for part in parts]
        self._fixed_bytes = sum(len(part.encode("utf-8", "surrogatepass")) for part in parts if isinstance(part, str))

    def render(self, scope: Scope, room: Room) -> Json:
        room.take(self._fixed_bytes)
        texts: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                texts.append(part)
            else:
                text = room.text_of(part.find(scope, room))
                room.take_text(text)
                texts.append(text)
        return "".join(texts)


class Found:
    """A `$path` or a `$expr`."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[Scope], Json]) -> None:
        self._find = find

    def render(self, scope: Scope, room: Room) -> Json:
        value = self._find(scope)
        room.take_made(value)
        return value


class ListOf:
    """A list with tags below it."""

    __slots__ = ("_items",)

    def __init__(self, items: list[Node]) -> None:
        self._items = items

    def render(self, scope: Scope, room: Room) -> Json:
        rendered: list[Json] = []
        try:
            for item in self._items:
                rendered.append(item.render(scope, room))
        except EvaluationError as error:
            raise error.within(len(rendered)) from None
        return rendered


class ObjectOf:
    """An object with tags below it; its keys are no templates."""

    __slots__ = ("_members",)

    def __init__(self, members: dict[str, Node]) -> None:
        self._members = members

    def render(self, scope: Scope, room: Room) -> Json:
        rendered: dict[str, Json] = {}
        key = ""
        try:
            for key, member in self._members.items():
                rendered[key] = member.render(scope, room)
        except EvaluationError as error:
            raise error.within(key) from None
        return rendered

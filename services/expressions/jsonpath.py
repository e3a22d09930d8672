"""JSONPath: jsonpath-ng, behind an adapter that accepts only what it evaluates as RFC 9535 says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Final, cast

from jsonpath_ng.jsonpath import JSONPath
from jsonpath_ng.parser import parse

from services.expressions.errors import EvaluationError, ExpressionError
from services.expressions.jsonpath_syntax import MAX_QUERY, Selection, Selector, Slice, Wildcard, parse_query
from services.expressions.paths import Missing, Reference, Scope, descend, explain, path_of
from services.json import Json

# As many as a map takes items, and as many lists and objects as `..` may look into.
MAX_RESULTS: Final = 10_000
MAX_VISITED: Final = 10_000
_HOLDERS: Final = frozenset({list, dict})

Select = Callable[[Json], list[Json]]


class JsonPath:
    """A compiled query. A `singular` one selects one value at most; any other gives a list."""

    __slots__ = ("_path", "_steps", "references", "singular", "text")

    def __init__(self, text: str, selections: tuple[Selection, ...]) -> None:
        singles = [selection.single for selection in selections]
        names = list(takewhile(lambda single: single is not None, singles))
        self.text = text
        self.singular = len(names) == len(selections)
        self._path = path_of(name for name in names if name is not None)
        self._steps = [] if self.singular else [(each, _select(each)) for each in selections]
        self.references = (
            (Reference(path=self._path, required=self.singular),) if names and isinstance(names[0], str) else ()
        )

    def find(self, document: Json | Scope) -> Json | Missing:
        """The value, or `MISSING`, of a singular query; the list of values of any other.

        >>> compile_jsonpath("$.context.hits[*].url").find({"context": {"hits": [{"url": "a"}, {}]}})
        ['a']

        Raises:
            EvaluationError: MAPPING_ERROR, when it selects or visits too many values.
        """
        start = _as_json(document)
        if self.singular:
            return descend(start, self._path.segments)
        values: list[Json] = [start]
        for selection, select in self._steps:
            below = _with_descendants(values) if selection.descendant else values
            values = list(self._selected(below, selection.selectors, select))
        return values

    def missing(self, scope: Scope) -> str:
        """Why a singular query gives nothing, with the keys that are near."""
        return explain(self.text, "$", dict(scope), self._path.segments)

    def _selected(self, values: Iterable[Json], selectors: tuple[Selector, ...], select: Select) -> Iterator[Json]:
        room = MAX_RESULTS
        selects_many = isinstance(selectors[0], (Slice, Wildcard))
        for value in values:
            # Counted first, where one value may hold many: to select from a long list is slow.
            if selects_many and _most(selectors[0], value) > room:
                raise self._too_many()
            if found := select(value):
                room -= len(found)
                if room < 0:
                    raise self._too_many()
                yield from found

    def _too_many(self) -> EvaluationError:
        return EvaluationError("MAPPING_ERROR", f"{self.text} selects more than {MAX_RESULTS} values")


@lru_cache(maxsize=1024)
def compile_jsonpath(text: str) -> JsonPath:
    """The query that `text` spells.

    Raises:
        ExpressionError: JSONPATH_INVALID, or JSONPATH_UNSUPPORTED for what RFC 9535 knows and this language does not.
    """
    try:
        return JsonPath(text, parse_query(text))
    except ExpressionError as error:
        shown = text if len(text) <= 80 else text[:79] + "…"
        reason = f"{shown!r} is not a JSONPath this language accepts: {error.message}"
        raise ExpressionError(error.code, reason, position=error.position) from None


def read_as_jsonpath(text: str) -> JsonPath | None:
    """The query that `text` spells, or None when it is no JSONPath and so just a text.

    Raises:
        ExpressionError: JSONPATH_UNSUPPORTED; it is a query, and to take it as text would hide that.
    """
    try:
        return compile_jsonpath(text)
    except ExpressionError as error:
        if error.code == "JSONPATH_UNSUPPORTED" and len(text) <= MAX_QUERY:
            raise
        return None


def _select(selection: Selection) -> Select:
    """What one segment selects from one value: slices and wildcards by jsonpath-ng."""
    # Names and indices are looked up without its ado: after '..' every list and object is asked.
    if isinstance(selection.selectors[0], str):
        names = [name for name in selection.selectors if isinstance(name, str)]
        return lambda value: [value[name] for name in names if name in value] if isinstance(value, dict) else []
    if isinstance(selection.selectors[0], int):
        places = [place for place in selection.selectors if isinstance(place, int)]
        return lambda value: _at(places, value) if isinstance(value, list) else []
    find = _parsed(_written(selection.selectors[0])).find
    return lambda value: [cast(Json, datum.value) for datum in find(value)] if isinstance(value, (list, dict)) else []


def _at(places: list[int], values: list[Json]) -> list[Json]:
    return [values[place] for place in places if -len(values) <= place < len(values)]


def _most(selector: Selector, value: Json) -> int:
    """How many values a slice or a wildcard selects from one value, at most."""
    if not isinstance(selector, Slice):
        return len(value) if isinstance(value, (list, dict)) else 0
    if not isinstance(value, list) or selector.step == 0:
        return 0
    return len(range(len(value))[selector.start : selector.end : selector.step])


@lru_cache(maxsize=1024)
def _parsed(selection: str) -> JSONPath:
    return parse(selection)


def _written(selector: Selector) -> str:
    """A slice or a wildcard in the one spelling that jsonpath-ng and RFC 9535 read alike."""
    if not isinstance(selector, Slice):
        return "[*]"
    parts = (selector.start, selector.end, selector.step)
    return f"[{':'.join('' if part is None else str(part) for part in parts)}]"


def _with_descendants(values: list[Json]) -> Iterator[Json]:
    """The lists and objects at and below `values`, parents first and in document order; others select nothing."""
    visited = 0
    pending = [value for value in reversed(values) if isinstance(value, (list, dict))]
    while pending:
        value = pending.pop()
        visited += 1
        if visited > MAX_VISITED:
            raise EvaluationError("MAPPING_ERROR", f"'..' looks into more than {MAX_VISITED} lists and objects")
        yield value
        children = value if isinstance(value, list) else value.values()
        # Most hold nothing but plain values, and that is seen faster of all of them together.
        if not _HOLDERS.isdisjoint(map(type, children)):
            pending += [child for child in reversed(children) if isinstance(child, (list, dict))]


def _as_json(document: Json | Scope) -> Json:
    return dict(document) if isinstance(document, Mapping) and not isinstance(document, dict) else document

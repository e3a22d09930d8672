"""The strings of a document that read its data, and how they are changed to read something else."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from services.definitions.document import Document, Step, all_steps
from services.definitions.patch import Operation, Replace
from services.definitions.structure import pointer
from services.definitions.tree import Places
from services.expressions import (
    ExpressionError,
    Path,
    Reference,
    compile_expression,
    compile_jsonpath,
    compile_template,
    parse_path,
)
from services.expressions.paths import path_of
from services.expressions.tags import Tag, split
from services.json import Json

Keys: TypeAlias = tuple[str | int, ...]

_COMBINERS = ("all", "any", "not")
_LANGUAGES: dict[str, Literal["query", "expression"]] = {"$path": "query", "$expr": "expression"}
_QUOTED = re.compile(r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.DOTALL)


Moment: TypeAlias = Literal["before", "after", "while", "until"]
"""When something is evaluated: before the step does its work, once it has its output, or in a loop before an iteration
and at its end."""


class Evaluated(NamedTuple):
    """A value of a step that is evaluated when it runs: where it stands in the step, its language, and when.

    A `mapping` is a template in which a text that is a JSONPath is one.
    """

    path: str
    value: Json
    language: Literal["condition", "mapping", "template"]
    moment: Moment = "before"


class Reading(NamedTuple):
    """One string, its place, and the language it is written in."""

    path: str
    text: str
    language: Literal["template", "query", "expression", "path"]

    def references(self) -> tuple[Reference, ...]:
        """What it reads; nothing when it does not parse."""
        try:
            match self.language:
                case "template":
                    return compile_template(self.text).references
                case "query":
                    return compile_jsonpath(self.text).references
                case "expression":
                    return compile_expression(self.text).references
                case "path":
                    return (Reference(path=parse_path(self.text), required=False),)
        except ExpressionError:
            return ()


def evaluated(step: Step) -> Iterator[Evaluated]:
    """What of a step is evaluated when it runs, without the steps that it holds."""
    found = [
        Evaluated("/condition", step.condition, "condition"),
        Evaluated("/inputMapping", step.input_mapping, "mapping"),
        Evaluated("/idempotencyKey", step.idempotency_key, "mapping"),
        *(Evaluated(f"/cases/{index}/when", case.when, "condition") for index, case in enumerate(step.cases)),
        Evaluated("/splitBy", step.split_by, "mapping"),
        Evaluated("/while", step.while_, "condition", "while"),
        Evaluated("/until", step.until, "condition", "until")
        if step.kind == "loop"
        else Evaluated("/until", step.until, "mapping"),
        Evaluated("/collect", step.collect, "mapping", "until"),
        Evaluated("/items", step.items, "mapping"),
        Evaluated("/forMs", step.for_ms, "mapping"),
        Evaluated("/match", step.match, "condition", "after"),
        Evaluated("/present", step.present, "mapping"),
        Evaluated("/url", step.url, "mapping"),
        *(Evaluated("/headers" + pointer(name), value, "mapping") for name, value in (step.headers or {}).items()),
        Evaluated("/message", step.message, "template"),
        Evaluated("/output", step.output, "mapping"),
        Evaluated("/outputMapping", step.output_mapping, "mapping", "after"),
    ]
    return (each for each in found if each.value is not None)


def readings_of_document(document: Document, places: Places) -> Iterator[Reading]:
    """Every string of the document that reads data."""
    for step in all_steps(document):
        yield from readings_of_step(step, places[step])
    yield from readings_of_value(document.output, "/output")


def readings_of_step(step: Step, place: str) -> Iterator[Reading]:
    """What a step reads, without the steps that it holds."""
    for each in evaluated(step):
        yield from readings_of(each, place)


def readings_of(each: Evaluated, place: str) -> Iterator[Reading]:
    """The strings of what is evaluated of the step at `place`."""
    if each.language == "condition":
        return readings_of_condition(each.value, place + each.path)
    return readings_of_value(each.value, place + each.path, jsonpath=each.language == "mapping")


def readings_of_value(value: Json, path: str, *, jsonpath: bool = True) -> Iterator[Reading]:
    """The strings of a mapping; with `jsonpath`, one that starts like a query and is one is not a template."""
    if isinstance(value, str):
        yield Reading(path, value, "query" if jsonpath and _is_query(value) else "template")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from readings_of_value(item, path + pointer(index), jsonpath=jsonpath)
    elif isinstance(value, dict):
        key, special = next(iter(value.items()), ("", None)) if len(value) == 1 else ("", None)
        if key == "$literal":
            return
        if isinstance(special, str) and key in _LANGUAGES:
            yield Reading(path + pointer(key), special, _LANGUAGES[key])
            return
        for key, item in value.items():
            yield from readings_of_value(item, path + pointer(key), jsonpath=jsonpath)


def readings_of_condition(condition: Json, path: str) -> Iterator[Reading]:
    """The strings of a condition."""
    if isinstance(condition, str):
        yield Reading(path, condition, "expression")
    elif isinstance(condition, list):
        for index, member in enumerate(condition):
            yield from readings_of_condition(member, path + pointer(index))
    elif isinstance(condition, dict):
        for key, member in condition.items():
            if key in _COMBINERS:
                yield from readings_of_condition(member, path + pointer(key))
            elif key == "field" and isinstance(member, str):
                yield Reading(path + "/field", member, "path")
            elif key == "value":
                yield from readings_of_value(member, path + "/value", jsonpath=False)


def respelled(readings: Iterable[Reading], meant: Callable[[Path], Keys | None]) -> tuple[Operation, ...] | None:
    """Operations that make each path read the keys `meant` instead, where there are such; None when one cannot."""
    patch: list[Operation] = []
    for reading in readings:
        changed = reading
        for reference in reading.references():
            if (keys := meant(reference.path)) is not None:
                text = _reads_instead(changed, reference.path, keys)
                if text is None:
                    return None
                changed = changed._replace(text=text)
        if changed.text != reading.text:
            patch.append(Replace(path=reading.path, value=changed.text))
    return tuple(patch)


def made_optional(readings: Iterable[Reading], path: Path) -> tuple[Operation, ...]:
    """Operations that let the path be missing in every tag that needs it; none when it is not only tags that do."""
    patch: list[Operation] = []
    for reading in readings:
        if any(each.required and each.path == path for each in reading.references()):
            text = _in_tags(reading.text, path, path.text + "?", required=True)
            if reading.language != "template" or _still_needs(reading._replace(text=text), path):
                return ()
            patch.append(Replace(path=reading.path, value=text))
    return tuple(patch)


def outside_quotes(text: str, change: Callable[[str], str]) -> str:
    """The text of an expression with a change made to everything but its quoted texts."""
    return "".join(part if at % 2 else change(part) for at, part in enumerate(_QUOTED.split(text)))


def _reads_instead(reading: Reading, path: Path, keys: Keys) -> str | None:
    """The string with `path` changed to read `keys`, or None when that cannot be done by changing these letters."""
    for spelled in _spellings(path, keys):
        changed = reading._replace(text=_with(reading, path, spelled))
        found = changed.references()
        if any(each.path.keys == keys for each in found) and all(each.path.text != path.text for each in found):
            return changed.text
    return None


def _with(reading: Reading, path: Path, spelled: str) -> str:
    match reading.language:
        case "path":
            return spelled
        case "query":
            return f"$.{spelled}"
        case "template":
            return _in_tags(reading.text, path, spelled)
        case "expression":
            there = re.compile(rf"(?<![\w.\])]){re.escape(path.text)}(?![\w.\[(])")
            return outside_quotes(reading.text, lambda part: there.sub(lambda _: spelled, part))


def _spellings(path: Path, keys: Keys) -> Iterator[str]:
    """How the keys are written: without their root if the path was, and then the plain way."""
    if path.is_classic and keys[0] == "context" and len(keys) == len(path.segments) + 1:
        yield f"{keys[1]}{path_of(('x', *keys[2:])).text[1:]}"
    yield path_of(keys).text


def _in_tags(text: str, path: Path, spelled: str, *, required: bool = False) -> str:
    sources = {
        part.source
        for part in split(text)
        if isinstance(part, Tag) and part.path.text == path.text and (part.required or not required)
    }
    for source in sources:
        changed = source.replace(path.text, spelled, 1)
        # The same letters behind an odd number of backslashes, or a third bracket, are text.
        there = re.compile(rf"(?<![\\{re.escape(source[0])}])((?:\\\\)*){re.escape(source)}")
        text = there.sub(lambda match, changed=changed: match[1] + changed, text)
    return text


def _still_needs(reading: Reading, path: Path) -> bool:
    found = reading.references()
    return not found or any(each.required and each.path == path for each in found)


def _is_query(text: str) -> bool:
    if not text.startswith(("$.", "$[")):
        return False
    try:
        compile_jsonpath(text)
    except ExpressionError:
        return False
    return True

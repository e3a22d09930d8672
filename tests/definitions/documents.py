"""Random documents that `check` finds nothing wrong with: of every kind that runs, nested, and soon over.

Loops have up to three iterations and maps up to three items. What a template needs is there on every way that leads to
it; all else is read with `?`.
"""

from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from services.catalog import KINDS
from services.definitions.catalog import Callee, Catalog
from services.definitions.document import (
    Budget,
    Cache,
    Case,
    Catch,
    Defaults,
    Document,
    Fallback,
    Group,
    Kind,
    Retry,
    Step,
    Tolerance,
)
from services.json import Json, JsonObject

CATALOG = Catalog(
    roles={"Reader": UUID(int=1), "Writer": UUID(int=2)},
    tools=frozenset({"files.read"}),
    kinds=KINDS,
    orchestrations={"Other": Callee(max_step_runs=2), "Other@3": Callee(max_step_runs=1)},
)

_LEAVES: tuple[Kind, ...] = ("agent", "llm", "tool", "tool", "transform", "wait", "orchestration")
_HOLDERS: tuple[Kind, ...] = ("branch", "loop", "map", "group")
_ENDS: tuple[Kind, ...] = ("fail", "stop")
_MAX_DEPTH = 3

_CONDITIONS: tuple[Json, ...] = (
    None,
    None,
    None,
    None,
    False,
    True,
    {"field": "input.n", "operator": ">", "value": 1},
    "input.n == 1 or exists(execution.id)",
)
_ITEMS: tuple[Json, ...] = ([], [1], ["a", "<<input.n?>>"], [1, 2, 3], {"$expr": "[1, input.n]"}, "$.input.list[*]")
_ATTEMPTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"max_retries": 1, "retry_delay": 0},
    {"max_retries": 2, "retry_delay": 7, "retry": Retry(backoff="linear", jitter="full", errors=("TOOL_ERROR",))},
    {"max_retries": 1, "retry": Retry(backoff="exponential", max_delay_ms=10, not_errors=("TIMEOUT",))},
    {"max_retries": 1, "timeout": 1_000, "total_timeout": 1_500, "idempotency_key": "<<input.n?>> once"},
)
_PAID: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"budget": Budget(max_cost_usd="0.50")},
    {"budget": Budget(max_tokens=9), "cache": Cache(ttl_ms=1_000, scope="execution")},
    {"cache": Cache(ttl_ms=1)},
)
_CALLS: tuple[dict[str, Any], ...] = ({}, {}, {"version": 3}, {"wait": False}, {"timeout": 1_000})
_WAITS: tuple[dict[str, Any], ...] = (
    {"for_ms": 0},
    {"for_ms": 5},
    {"for_ms": "<<input.n | default(3)>>"},
    {"until": "2020-01-31T12:00:00Z"},
    {"until": {"$expr": "'2021-01-31T12:00:00+01:00'"}},
    {"event": "paid"},
    {"event": "paid", "match": {"field": "output.n", "operator": "==", "value": "<<input.one | default(1)>>"}},
    {"event": "seen", "match": "output.n == 1", "expires_after_ms": 50},
    {"event": "seen", "output_schema": {"properties": {"n": {"const": 1}}}},
)
_LOOPS: tuple[dict[str, Any], ...] = (
    {},
    {"collect": "<<loop.index>>"},
    {"until": {"field": "loop.iteration", "operator": ">=", "value": 2}, "collect": {"last": "<<output>>"}},
    {"until": "input.n > 1", "on_limit": "fail"},
    {"while_": {"field": "loop.index", "operator": "<", "value": "<<input.n | default(1)>>"}},
    {"while_": False},
)
_MAPS: tuple[dict[str, Any], ...] = (
    {},
    {"on_item_error": "null", "max_concurrency": 1},
    {"on_item_error": "drop", "max_concurrency": 2, "tolerate": Tolerance(count=1)},
    {"on_item_error": "drop", "tolerate": Tolerance(percent=50)},
)
_JOINS: tuple[Group, ...] = (
    Group(),
    Group(max_concurrency=1),
    Group(on_member_failure="wait_all"),
    Group(join="any"),
    Group(join="n_of", n=2, on_member_failure="wait_all"),
    Group(join="all_settled", min_success=1),
)


@dataclass(frozen=True)
class _Place:
    """What a step can read where it stands: keys that are there for certain, those that may be, and own roots."""

    certain: tuple[str, ...] = ("input",)
    maybe: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    depth: int = 0
    is_first: bool = True
    may_end: bool = True

    def inside(self, *roots: str, key: str | None = None) -> "_Place":
        keys = self.certain if key is None else (*self.certain, key)
        return replace(self, certain=keys, roots=(*self.roots, *roots), depth=self.depth + 1, is_first=True)


@dataclass(frozen=True)
class _Written:
    """Steps, the keys that are there for certain once they are over, and those that may be."""

    steps: tuple[Step, ...]
    certain: tuple[str, ...]
    maybe: tuple[str, ...]


@st.composite
def documents(draw: st.DrawFn, max_steps: int = 10, *, may_race: bool = True) -> Document:
    """A document of up to about `max_steps` steps, in the form in which it is read.

    Unless it `may_race`, no group asks for the first of its members.
    """
    return _Writer(draw, max_steps, may_race=may_race).document()


class _Writer:
    """One document in the making: how many steps are left to write, and the settings of its groups."""

    def __init__(self, draw: st.DrawFn, max_steps: int, *, may_race: bool) -> None:
        self._draw = draw
        self._joins = _JOINS if may_race else tuple(group for group in _JOINS if group.join not in ("any", "n_of"))
        self._left = max_steps
        self._numbers = count(1)
        self._groups: dict[str, Group] = {}
        self._stops = False

    def document(self) -> Document:
        main = self._sequence(_Place(), most=4)
        # It may have failed anywhere, so nothing is certain any more.
        ended = _Place(maybe=(*main.certain, *main.maybe), depth=_MAX_DEPTH - 1, may_end=False)
        on_failure = self._sequence(replace(ended, roots=("error",)), most=1).steps if self._one_in(3) else ()
        finally_ = self._sequence(ended, most=2).steps if self._one_in(3) else ()
        # A stop gives this as well, when it does not say what else, and stops before much is there.
        certain = ("input",) if self._stops else ("input", *main.certain)
        outputs: list[JsonObject | None] = [None, {"last": f"<<context.{self._any(certain)}>>", "n": "<<input.n?>>"}]
        return Document(
            name="random",
            defaults=self._any((Defaults(), Defaults(), Defaults(max_retries=1, retry_delay=2))),
            groups=self._groups,
            steps=main.steps,
            on_failure=on_failure,
            finally_=finally_,
            output=self._any(outputs),
        )

    def _any(self, options: Any) -> Any:
        # A strategy of its own for each list of options would be slow to make.
        return options[self._draw(st.integers(0, len(options) - 1))]

    def _one_in(self, number: int) -> bool:
        return self._draw(st.integers(0, number - 1)) == number - 1

    def _sequence(self, place: _Place, most: int) -> _Written:
        steps: list[Step] = []
        certain, maybe = list[str](), list[str]()
        for stage in range(self._draw(st.integers(1, most))):
            if stage and self._left <= 0:
                break
            written = self._stage(replace(place, is_first=stage == 0), stage)
            steps += written.steps
            certain += written.certain
            maybe += written.maybe
            place = replace(place, certain=(*place.certain, *written.certain), maybe=(*place.maybe, *written.maybe))
        return _Written(tuple(steps), tuple(certain), tuple(maybe))

    def _stage(self, place: _Place, order: int) -> _Written:
        if self._left < 2 or not self._one_in(4):
            return self._step(place, order)
        group = f"group {next(self._numbers)}"
        settings, shared = self._any(self._joins), f"{group} merged" if self._one_in(3) else None
        if shared is not None:
            settings = msgspec.structs.replace(settings, merge={shared: self._any(("last", "append", "object"))})
            place = replace(place, may_end=False)  # what ends the execution writes nothing
        if settings != Group() or self._one_in(2):
            self._groups[group] = settings
        members = [self._step(place, order, group, settings.join, shared) for _ in range(2 + self._one_in(3))]
        steps = sorted((step for member in members for step in member.steps), key=lambda step: step.name)
        certain = dict.fromkeys(key for member in members for key in member.certain)
        return _Written(tuple(steps), tuple(certain), tuple(key for member in members for key in member.maybe))

    def _step(
        self, place: _Place, order: int, group: str | None = None, join: str = "all", shared: str | None = None
    ) -> _Written:
        """A step, as a member of a group maybe, whose members all write the `shared` key."""
        self._left -= 1
        name, kind = f"S{next(self._numbers)}", self._kind(place)
        own, inner = self._own(kind, name, place)
        if kind in _ENDS:
            # Not always, or what follows would never run.
            fields: dict[str, Any] = {"condition": self._any(_CONDITIONS[4:])}
        else:
            fields = {"condition": self._any(_CONDITIONS), **self._when_it_fails(name, place)}
            fields["output_mapping"] = self._output_mapping(name, shared)
        step = Step(name=name, kind=kind, order=order, parallel_group=group, **own, **fields)
        return _Written((step,), *_keys_of(step, inner, join))

    def _kind(self, place: _Place) -> Kind:
        options = list(_LEAVES)
        if place.depth < _MAX_DEPTH and self._left > 0:
            options += _HOLDERS
        if place.may_end and self._one_in(12):
            options = list(_ENDS)
        return self._any(options)

    def _own(self, kind: Kind, name: str, place: _Place) -> tuple[dict[str, Any], _Written]:
        """The fields of the kind, and what the steps in it write if they all run."""
        nothing = _Written((), (), ())
        match kind:
            case "agent" | "llm":
                role: dict[str, Any] = {
                    "role_name": self._any(("Reader", "Writer")),
                    **self._any(_ATTEMPTS),
                    **self._any(_PAID),
                }
                return {**role, **self._input(place)}, nothing
            case "tool":
                return {"tool": "files.read", **self._any(_ATTEMPTS), **self._input(place)}, nothing
            case "wait":
                return self._any(_WAITS), nothing
            case "orchestration":
                called = {"orchestration": "Other", **self._any(_ATTEMPTS), **self._any(_CALLS)}
                return {**called, **self._input(place)}, nothing
            case "fail":
                return {"code": self._any((None, "TOOL_ERROR")), "message": f"at {name}, n is <<input.n?>>"}, nothing
            case "stop":
                self._stops = True
                return {"output": self._any((None, {"stopped": name, "n": "<<input.n?>>"}))}, nothing
            case "branch":
                return self._branch(place), nothing
            case "loop":
                fields = self._any(_LOOPS)
                body = self._sequence(place.inside("loop"), most=2)
                most = self._draw(st.integers(1, 3))
                is_entered = "while_" not in fields
                return {**fields, "max_iterations": most, "steps": body.steps}, body if is_entered else _unsure(body)
            case "map":
                key = self._any((None, f"{name} item"))
                body = self._sequence(place.inside("item", "loop", key=key), most=2)
                fields = {**self._any(_MAPS), "items": self._any(_ITEMS), "as_": key, "max_items": 3}
                return {**fields, "steps": body.steps}, nothing
            case "group":
                body = self._sequence(place.inside(), most=2)
                return {"steps": body.steps}, body
            case _:
                return {"input_mapping": self._read(place)}, nothing

    def _branch(self, place: _Place) -> dict[str, Any]:
        cases: list[Case] = []
        is_weighted = self._one_in(3)
        for name in ("one", "two")[: 1 + self._one_in(2)]:
            taken: dict[str, Any] = {"weight": 1 + len(cases)} if is_weighted else {"when": self._any(_CONDITIONS[6:])}
            cases.append(Case(name=name, steps=self._sequence(place.inside(), most=2).steps, **taken))
        fields: dict[str, Any] = {"cases": tuple(cases)}
        if is_weighted:
            return {**fields, "split_by": self._any((None, "<<input.n?>>"))}
        return {**fields, "else_": self._sequence(place.inside(), most=1).steps if self._one_in(2) else ()}

    def _when_it_fails(self, name: str, place: _Place) -> dict[str, Any]:
        """What takes the place of its output, and what undoes it."""
        fields: dict[str, Any] = {}
        way = self._draw(st.integers(0, 9))
        if way == 1:
            fields["on_error"] = "continue"
        elif way == 2:
            fields["on_error"] = Fallback(default={"instead": name})
        elif way == 3 and place.depth < _MAX_DEPTH:
            errors, key = self._any((("*",), ("TOOL_ERROR", "TIMEOUT"))), self._any((None, f"{name} error"))
            handler = self._sequence(place.inside("error", key=key), most=1)
            fields["on_error"] = Fallback(catch=(Catch(errors=errors, as_=key, steps=handler.steps),))
        if way in (4, 5):
            undone = _Place(maybe=place.certain, roots=(*place.roots, "step"), depth=_MAX_DEPTH, may_end=False)
            fields["compensate"] = self._sequence(undone, most=1).steps
        return fields

    def _input(self, place: _Place) -> dict[str, Any]:
        way = self._draw(st.integers(0, 4))
        if way == 0:
            return {}
        if way == 1:
            return {"context_keys": (self._any(place.certain),)}
        return {"input_mapping": self._read(place)}

    def _read(self, place: _Place) -> JsonObject:
        """A mapping that reads a key that is there, one that may be, and what the place has of its own."""
        own = {
            "item": "<<item>>",
            "loop": "<<loop.iteration>> after <<loop.last>>",
            "error": "<<error.code>>: <<error.message>>",
            "step": "<<step.output>>",
        }
        mapping: JsonObject = {root: own[root] for root in place.roots}
        mapping["from"] = f"<<context.{self._any(place.certain)}>>"
        if place.maybe:
            mapping["maybe"] = [f"<<context.{self._any(place.maybe)}?>>", "of <<execution.id?>>"]
        if not place.is_first:
            mapping["output"] = "<<output>>"
        return mapping

    def _output_mapping(self, name: str, shared: str | None) -> JsonObject | None:
        own = f"{name} out"
        if shared is not None:
            return {shared: "<<output>>"}
        return self._any((None, None, {own: "<<output>>"}, {own: "kept", f"{name} in": "<<step.input?>>"}))


def _keys_of(step: Step, inner: _Written, join: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that are there for certain when a step is over, and those that may be.

    The name of a step that has not completed is null, unless it has an output mapping and so may never be written.
    """
    own = (step.name,) if step.output_mapping is None else tuple(step.output_mapping)
    completes = step.condition is None and step.on_error != "continue" and join == "all"
    is_certain = completes or step.output_mapping is None
    handled = isinstance(step.on_error, Fallback)
    if completes and not handled:
        return (*own, *inner.certain), inner.maybe
    return own if is_certain else (), (*(() if is_certain else own), *inner.certain, *inner.maybe)


def _unsure(written: _Written) -> _Written:
    return _Written(written.steps, (), (*written.certain, *written.maybe))

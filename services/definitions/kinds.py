"""What each kind of step needs, and which of its fields say the same or exclude each other."""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.definitions.document import Document, Fallback, Kind, Step, all_steps
from services.definitions.patch import Add, Operation, Remove, Replace
from services.definitions.structure import pointer
from services.definitions.tree import Places
from services.expressions import ExpressionError, compile_template
from services.expressions.instants import instant
from services.json import Json
from services.problem import Problem

# The fields without which a step of a kind does not know what to do.
NEEDS: dict[Kind, tuple[str, ...]] = {
    "agent": ("roleName",),
    "llm": ("roleName",),
    "tool": ("tool",),
    "code": ("language", "source"),
    "transform": ("inputMapping",),
    "approval": ("assignees",),
    "webhook": ("direction",),
    "orchestration": ("orchestration",),
    "branch": ("cases",),
    "loop": ("maxIterations", "steps"),
    "map": ("items", "steps"),
    "group": ("steps",),
}
WAITS_FOR = ("forMs", "until", "event")
# What a webhook has for one direction only.
_OF_SENDING = ("url", "method", "headers")
_OF_RECEIVING = ("verify", "match", "expiresAfterMs")
# What stands for itself where it is left out.
_ONLY_ONE: dict[str, Json] = {"inputMapping": {}, "language": "python"}
_FIELDS = {field.encode_name: field.name for field in msgspec.structs.fields(Step)}


def check_kinds(document: Document, places: Places) -> list[Problem]:
    """What steps lack for what they are, and what they say too much."""
    return [problem for step in all_steps(document) for problem in _check_step(step, places[step])]


def _check_step(step: Step, place: str) -> Iterator[Problem]:
    for field in NEEDS.get(step.kind, ()):
        if not _said(step, (field,)):
            yield _needs(step, field, place)
    match step.kind:
        case "wait":
            yield from _check_wait(step, place)
        case "webhook":
            yield from _check_webhook(step, place)
        case "approval" if step.assignees is not None and not (step.assignees.roles or step.assignees.users):
            message = "somebody has to decide: name `roles` or `users`"
            yield Problem(code="REQUIRED", path=place + "/assignees", message=message, allowed=("roles", "users"))
        case "branch":
            yield from _check_branch(step, place)
        case "loop" if step.until is not None and step.while_ is not None:
            message = "a loop ends by `until` or by `while`, not by both"
            yield Problem(code="FIELD_CONFLICT", path=place + "/while", message=message, allowed=("until", "while"))
        case "map":
            yield from _check_map(step, place)
        case _:
            pass
    if isinstance(step.on_error, Fallback):
        yield from _check_fallback(step.on_error, place + "/onError")
    if step.input_mapping is not None and step.context_keys is not None:
        yield _without_effect("contextKeys", "beside an `inputMapping`", place)
    yield from _check_output_mapping(step, place + "/outputMapping")


def _said(step: Step, fields: tuple[str, ...]) -> list[str]:
    """Those of the fields that the step has a value for."""
    return [name for name in fields if getattr(step, _FIELDS[name]) not in (None, ())]


def _needs(step: Step, field: str, place: str) -> Problem:
    message = f"a step of the kind {step.kind} needs `{field}`"
    patch = (Add(path=place + pointer(field), value=_ONLY_ONE[field]),) if field in _ONLY_ONE else ()
    return Problem(code="REQUIRED", path=place, message=message, allowed=(field,), patch=patch)


def _without_effect(field: str, why: str, place: str) -> Problem:
    path = place + pointer(field)
    message = f"`{field}` has no effect {why}"
    return Problem(code="FIELD_CONFLICT", path=path, message=message, patch=(Remove(path=path),))


def _check_wait(step: Step, place: str) -> Iterator[Problem]:
    found = _said(step, WAITS_FOR)
    if not found:
        yield Problem(code="REQUIRED", path=place, message="a wait needs to know what for", allowed=WAITS_FOR)
    for other in found[1:]:
        message = f"a wait waits for one thing; this one has `{found[0]}` as well"
        yield Problem(code="FIELD_CONFLICT", path=place + pointer(other), message=message, allowed=WAITS_FOR)
    if step.event is None:
        for field in _said(step, ("match", "expiresAfterMs")):
            yield _without_effect(field, "without an `event`", place)
    if isinstance(step.for_ms, str) and (value := _constant(step.for_ms)) is not msgspec.UNSET:
        number = value.strip() if isinstance(value, str) else ""
        patch = (Replace(path=place + "/forMs", value=int(number)),) if number.isdecimal() and len(number) < 12 else ()
        message = "`forMs` is a whole number of milliseconds, or a template that gives one"
        yield Problem(code="WRONG_VALUE", path=place + "/forMs", message=message, patch=patch)
    value = _constant(step.until)
    if value is not None and value is not msgspec.UNSET and not (isinstance(value, str) and instant(value)):
        message = "`until` is an instant with an offset, such as 2030-01-31T12:00:00Z, or a template that gives one"
        yield Problem(code="WRONG_VALUE", path=place + "/until", message=message)


def _check_webhook(step: Step, place: str) -> Iterator[Problem]:
    if step.direction == "send" and step.url is None:
        yield Problem(code="REQUIRED", path=place, message="a webhook that is sent needs a `url`", allowed=("url",))
    others = {"send": _OF_RECEIVING, "receive": _OF_SENDING}.get(step.direction or "", ())
    for field in _said(step, others):
        yield _without_effect(field, f"with the direction {step.direction}", place)


def _check_map(step: Step, place: str) -> Iterator[Problem]:
    if step.tolerate is not None and step.on_item_error not in ("null", "drop"):
        yield _without_effect("tolerate", "unless `onItemError` is null or drop", place)
    value = _constant(step.items)
    if value is not None and value is not msgspec.UNSET and not isinstance(value, list):
        message = "`items` is a list, or a template, a JSONPath or an expression that gives one"
        yield Problem(code="WRONG_VALUE", path=place + "/items", message=message)


def _check_branch(step: Step, place: str) -> Iterator[Problem]:
    seen: set[str] = set()
    is_weighted = bool(step.cases) and step.cases[0].weight is not None
    is_over = False
    for index, case in enumerate(step.cases):
        path = place + pointer("cases", index)
        if case.name in seen or case.name == "else":
            message = f"the name {case.name!r} is taken; the output of the branch tells the case by its name"
            yield Problem(code="DUPLICATE_NAME", path=path + "/name", message=message)
        seen.add(case.name)
        if case.when is None and case.weight is None:
            message = "a case is taken when something holds, or by weight"
            yield Problem(code="REQUIRED", path=path, message=message, allowed=("when", "weight"))
        odd = case.when if is_weighted else case.weight
        if odd is not None:
            field = "when" if is_weighted else "weight"
            message = "the cases of a branch all have `when`, or all have `weight`"
            yield Problem(code="FIELD_CONFLICT", path=path + pointer(field), message=message)
        if not case.steps:
            yield Problem(code="REQUIRED", path=path + "/steps", message="a case has at least one step")
        if is_over:
            yield _unreachable_case(path, "a case before this one always holds")
        is_over = is_over or case.when is True
    if step.else_ and (is_over or is_weighted):
        why = "one of the weighted cases is always taken" if is_weighted else "a case before this always holds"
        yield _unreachable_case(place + "/else", why)
    if step.split_by is not None and not is_weighted:
        yield _without_effect("splitBy", "unless the cases have weights", place)


def _unreachable_case(path: str, why: str) -> Problem:
    message = f"{why}, so this is never taken"
    return Problem(code="UNREACHABLE_CASE", path=path, message=message, patch=(Remove(path=path),))


def _check_fallback(fallback: Fallback, path: str) -> Iterator[Problem]:
    either = ("default", "catch")
    if fallback.catch is msgspec.UNSET:
        if fallback.default is msgspec.UNSET:
            message = "there is no value and no handler to take the place of the output"
            yield Problem(code="REQUIRED", path=path, message=message, allowed=either)
        return
    if fallback.default is not msgspec.UNSET:
        message = "a failure is answered with a value or by handlers, not by both"
        yield Problem(code="FIELD_CONFLICT", path=path + "/default", message=message, allowed=either)
    if not fallback.catch:
        yield Problem(code="REQUIRED", path=path + "/catch", message="there has to be at least one handler")
    caught: set[str] = set()
    for index, handler in enumerate(fallback.catch):
        place = path + pointer("catch", index)
        if not handler.steps:
            message = "a handler has at least one step; a value alone is a `default`"
            yield Problem(code="REQUIRED", path=place + "/steps", message=message)
        if not handler.errors:
            message = "a handler catches at least one error, or all of them when it does not say which"
            remove = (Remove(path=place + "/errors"),)
            yield Problem(code="REQUIRED", path=place + "/errors", message=message, patch=remove)
        elif "*" in caught or caught.issuperset(handler.errors):
            message = "the handlers before this one catch everything that it would"
            remove = (Remove(path=place),)
            yield Problem(code="UNREACHABLE_HANDLER", path=place, message=message, patch=remove)
        caught.update(handler.errors)


def _check_output_mapping(step: Step, path: str) -> Iterator[Problem]:
    """An output mapping gives an object of keys; what gives any value could not be written."""
    mapping = step.output_mapping
    if mapping is None or len(mapping) != 1:
        return
    ((key, value),) = mapping.items()
    if key in ("$path", "$expr") or (key == "$literal" and not isinstance(value, dict)):
        message = "`outputMapping` names the context keys to write; put this under the name of one"
        patch: tuple[Operation, ...] = (Replace(path=path, value={step.name: mapping}),)
        yield Problem(code="MAPPING_INVALID", path=path, message=message, patch=patch)


def _constant(value: Json) -> Any:
    """What a template always gives; UNSET when it depends on data, or does not compile."""
    try:
        template = compile_template(value, jsonpath=True)
    except ExpressionError:
        return msgspec.UNSET
    return template.render({}) if template.is_constant else msgspec.UNSET

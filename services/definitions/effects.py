"""What executions of a document can do to the world outside, as far as that can be told before they run."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

import msgspec

from services.definitions.calls import call_of
from services.definitions.document import Document, Step, all_steps
from services.json import Json

EffectKind = Literal["tool", "model", "orchestration", "event", "domain", "code"]
# How far the calls of a tool reach: nowhere; they look at something; they change what can be seen and changed back
# here; or they do something elsewhere that nobody can take back.
ToolEffect = Literal["none", "read", "write", "external"]
# How much harm a call can do in the wrong hands.
Security = Literal["low", "medium", "high", "critical"]

ANY = "*"
"""The name of what is decided only when it runs."""

# A host ends where a path, a query, a blank or a quotation mark begins; a template in it is filled in at run time.
_HOST = re.compile(r"https?://((?:<<.*?>>|\{\{.*?\}\}|[^/?#\s\"'<>\\])*)", re.IGNORECASE)
_TEMPLATE = re.compile(r"<<|\{\{")


class Effect(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One thing outside that executions can reach, and the steps that do, by name.

    `name` is, by `kind`: a tool that a step or its agent may call; the "provider/model" or "provider" that a role
    prefers; an orchestration as steps call it (`Brief`, `Brief@3`); an event that is waited for; a host, with its port
    where it names one; the language of code. It is `*` where it is decided only when it runs, as the model of a role
    without preferences. `tags`, `effect` and `security` are those of a tool that is known here: what grants it, how far
    its calls reach, and how much harm they can do.
    """

    kind: EffectKind
    name: str
    steps: tuple[str, ...]
    tags: tuple[str, ...] = ()
    effect: ToolEffect | None = None
    security: Security | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a role asks for: tools by name, pattern or tag, and the models that it names."""

    tools: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTraits:
    """What is known of a tool: the tags that alone grant it, how far its calls reach, and how much harm they can do."""

    tags: frozenset[str] = frozenset()
    effect: ToolEffect | None = None
    security: Security | None = None


Tools: TypeAlias = Mapping[str, ToolTraits]
"""What is known of each tool, by its name."""
_NOTHING_KNOWN = ToolTraits()
_Reached: TypeAlias = Iterator[tuple[EffectKind, str]]


def effects_of(document: Document, roles: Mapping[str, Wishes], tools: Tools) -> tuple[Effect, ...]:
    """The effects of a document whose steps have these roles, where there are these tools; by kind and name.

    >>> document = Document(name="a", steps=(Step(name="Read", kind="tool", tool="files.read"),))
    >>> (found,) = effects_of(document, {}, {"files.read": ToolTraits(effect="read", security="low")})
    >>> found.name, found.steps, found.effect
    ('files.read', ('Read',), 'read')
    """
    found: dict[tuple[EffectKind, str], list[str]] = defaultdict(list)
    for step in all_steps(document):
        for effect in dict.fromkeys(_reached(step, roles, tools)):
            found[effect].append(step.name)
    return tuple(
        _effect(kind, name, steps, tools.get(name, _NOTHING_KNOWN) if kind == "tool" else _NOTHING_KNOWN)
        for (kind, name), steps in sorted(found.items())
    )


def _reached(step: Step, roles: Mapping[str, Wishes], tools: Tools) -> _Reached:
    match step.kind:
        case "agent" | "llm":
            if (wishes := roles.get(step.role_name or "")) is not None:
                for name in wishes.models or (ANY,):
                    yield "model", name
                for name in _granted(step, wishes, tools):
                    yield "tool", name
        case "tool":
            yield "tool", step.tool or ANY
            yield from _domains(step.input_mapping)
        case "webhook" if step.direction != "receive":
            if _HOST.search(step.url or "") is None:
                yield "domain", ANY
            yield from _domains(step.url)
        case "code":
            yield "code", step.language or ANY
        case "orchestration":
            yield "orchestration", call_of(step) or ANY
        case "wait" if step.event is not None:
            yield "event", step.event
        case _:
            pass


def _granted(step: Step, wishes: Wishes, tools: Tools) -> list[str]:
    """The tools that an agent may call: those of its role; the step may narrow them."""
    if step.kind != "agent":
        return []
    granted = [name for name, tool in tools.items() if any(_grants(wish, name, tool.tags) for wish in wishes.tools)]
    narrowed = step.tools
    if narrowed is None:
        return granted
    return [
        name for name in granted if name in narrowed or any(_grants(wish, name, tools[name].tags) for wish in narrowed)
    ]


def _grants(wish: str, name: str, tags: frozenset[str]) -> bool:
    # What carries a tag is reached by that alone.
    return wish in tags if tags else fnmatchcase(name, wish)


def _domains(value: Json) -> _Reached:
    match value:
        case str():
            for found in _HOST.finditer(value):
                host = found[1].rpartition("@")[2].lower()
                yield "domain", ANY if not host or _TEMPLATE.search(host) else host
        case list():
            for item in value:
                yield from _domains(item)
        case dict():
            for item in value.values():
                yield from _domains(item)
        case _:
            pass


def _effect(kind: EffectKind, name: str, steps: list[str], known: ToolTraits) -> Effect:
    return Effect(
        kind=kind,
        name=name,
        steps=tuple(steps),
        tags=tuple(sorted(known.tags)),
        effect=known.effect,
        security=known.security,
    )

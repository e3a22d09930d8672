"""Bundles out of text, with every problem of their structure at once."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from services.bundles.records import Bundle, BundleRole
from services.definitions import yaml12
from services.definitions.catalog import Catalog
from services.definitions.document import Document
from services.definitions.read import read_document
from services.definitions.structure import pointer, read_fields
from services.errors import Invalid
from services.json import Json, JsonObject, holds_nul
from services.problem import Problem

# From here on a number has no decimals when it is written out.
_WRITTEN_WHOLE = 1e16


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of a bundle, before they are looked into."""

    rolecall: Literal[1] = 1
    roles: list[Json] = []
    orchestrations: list[dict[str, Json]] = []


class _Role(BundleRole, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A role in a file of its own."""

    rolecall: Literal[1] = 1


def read(text: str | bytes) -> Bundle:
    """The bundle that `text` spells in YAML or JSON; a document or a role alone is a bundle of one.

    >>> [problem.suggestion for problem in read("rolecall: 1\\nrolls: []").problems]
    ['roles']

    Raises:
        Invalid: `text` is no YAML and no JSON, or holds U+0000.
    """
    raw = _as_kept(yaml12.read(text))
    if holds_nul(msgspec.json.encode(raw)):
        raise Invalid("a text in the document holds U+0000, which the database cannot keep; leave it out")
    if not isinstance(raw, dict):
        message = "a bundle is an object with `roles` and `orchestrations`, a document one with `name` and `steps`"
        return Bundle(problems=(Problem(code="WRONG_VALUE", path="", message=message),))
    if "steps" in raw:
        return Bundle(orchestrations={"": raw})
    if "basePrompt" in raw:
        return _role_alone(raw)
    problems: list[Problem] = []
    values = read_fields(_File, raw, "", problems)
    listed = _by_place("roles", values)
    documents = _by_place("orchestrations", values)
    read_roles = {place: _read_role(role, place, problems) for place, role in listed.items()}
    problems += [*_namesakes(listed), *_namesakes(documents)]
    return Bundle(
        roles={place: role for place, role in read_roles.items() if role is not None},
        orchestrations=documents,
        role_names=frozenset(name for role in listed.values() if (name := _name(role)) is not None),
        problems=tuple(problems),
    )


def joined(bundles: Mapping[str, Bundle]) -> Bundle:
    """One bundle of many, by the name of the file that each comes from, which then leads every place."""
    roles = {f"{file}:{place}": role for file, bundle in bundles.items() for place, role in bundle.roles.items()}
    documents = {
        f"{file}:{place}": document
        for file, bundle in bundles.items()
        for place, document in bundle.orchestrations.items()
    }
    problems = [
        msgspec.structs.replace(problem, path=f"{file}:{problem.path}", patch=())
        for file, bundle in bundles.items()
        for problem in bundle.problems
    ]
    known = {problem.path for problem in problems}
    taken = [*_namesakes({place: {"name": role.name} for place, role in roles.items()}), *_namesakes(documents)]
    return Bundle(
        roles=roles,
        orchestrations=documents,
        role_names=frozenset[str]().union(*(bundle.role_names for bundle in bundles.values())),
        problems=(*problems, *(problem for problem in taken if problem.path not in known)),
    )


def documents_in(bundle: Bundle, known: Catalog, *, file: str = "") -> list[Document]:
    """The documents of a bundle, in its order.

    Raises:
        Invalid: one of them has problems, and so nobody can tell what it says.
    """
    problems = list(bundle.problems)
    found: list[Document] = []
    for place, raw in bundle.orchestrations.items():
        document, _, wrong = read_document(raw, known)
        problems += [msgspec.structs.replace(problem, path=place + problem.path, patch=()) for problem in wrong]
        found += [] if document is None else [document]
    if problems:
        raise Invalid(f"{file or 'the bundle'} has problems", problems)
    return found


def _as_kept(value: Json) -> Json:
    """The value with its numbers as the database gives them back: 1e22 as an integer, -0.0 as 0.0."""
    if isinstance(value, dict):
        return {key: _as_kept(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_kept(item) for item in value]
    if not isinstance(value, float):
        return value
    return int(Decimal(repr(value))) if abs(value) >= _WRITTEN_WHOLE else value + 0.0


def _role_alone(raw: JsonObject) -> Bundle:
    problems: list[Problem] = []
    values = read_fields(_Role, raw, "", problems)
    values.pop("rolecall", None)
    name = _name(raw)
    return Bundle(
        roles={} if problems else {"": BundleRole(**values)},
        role_names=frozenset() if name is None else frozenset({name}),
        problems=tuple(problems),
    )


def _by_place(member: str, values: dict[str, Any]) -> dict[str, Any]:
    return {pointer(member, index): item for index, item in enumerate(values.get(member, []))}


def _name(item: Json) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _read_role(raw: Json, path: str, problems: list[Problem]) -> BundleRole | None:
    if not isinstance(raw, dict):
        message = "a role is an object with `name` and `basePrompt`"
        problems.append(Problem(code="WRONG_VALUE", path=path, message=message))
        return None
    found = len(problems)
    values = read_fields(BundleRole, raw, path, problems)
    return BundleRole(**values) if len(problems) == found else None


def _namesakes(items: Mapping[str, Json]) -> list[Problem]:
    """A problem for each thing whose name another one before it has."""
    first: dict[str, str] = {}
    problems: list[Problem] = []
    for place, item in items.items():
        name = _name(item)
        if name is not None and first.setdefault(name, place) != place:
            message = f"the name {name[:100]!r} is taken by {first[name]}"
            problems.append(Problem(code="DUPLICATE_NAME", path=place + "/name", message=message))
    return problems

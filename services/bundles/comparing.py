"""What differs between two sets of roles and orchestrations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from services.bundles.reading import documents_in
from services.bundles.records import Bundle, BundleRole, Contents, Noun
from services.definitions.catalog import Catalog
from services.definitions.diff import Change, changed_fields, diff
from services.definitions.document import Document

T = TypeVar("T", BundleRole, Document)


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A role or an orchestration that only one side has, or that `changes` make another one of."""

    what: Literal["added", "removed", "changed"]
    noun: Noun
    name: str
    changes: tuple[Change, ...] = ()


def contents_of(bundle: Bundle, known: Catalog) -> Contents:
    """What a bundle holds, by name.

    Raises:
        Invalid: it has problems, so nobody can tell.
    """
    documents = {document.name: document for document in documents_in(bundle, known)}
    return Contents({role.name: role for role in bundle.roles.values()} or None, documents)


def differences(a: Contents, b: Contents) -> list[Difference]:
    """What makes `b` of `a`, matched by name; one orchestration on each side is matched whatever it is called.

    Roles are compared where both sides say something of them.
    """
    before, after = a.documents, b.documents
    if len(before) == len(after) == 1:
        before = dict(zip(after, before.values(), strict=True))
    in_roles = () if a.roles is None or b.roles is None else _between("role", a.roles, b.roles, changed_fields)
    return [
        *in_roles,
        *_between("orchestration", before, after, diff),
    ]


def _between(
    noun: Noun, before: Mapping[str, T], after: Mapping[str, T], changes: Callable[[T, T], Sequence[Change]]
) -> list[Difference]:
    found = [Difference(what="removed", noun=noun, name=name) for name in before if name not in after]
    for name, thing in after.items():
        if name not in before:
            found.append(Difference(what="added", noun=noun, name=name))
        elif changed := tuple(changes(before[name], thing)):
            found.append(Difference(what="changed", noun=noun, name=name, changes=changed))
    return found

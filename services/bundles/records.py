"""What a bundle holds, and what becomes of it."""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from services.definitions.diff import Change
from services.definitions.document import Document, Name, Text
from services.json import Json, JsonObject
from services.models.selection import ModelConstraints
from services.orchestrations import Orchestration
from services.problem import Problem
from services.roles import Parameters, Role, ToolName

Format: TypeAlias = Literal["yaml", "json"]
Noun: TypeAlias = Literal["role", "orchestration"]
Outcome: TypeAlias = Literal["created", "updated", "unchanged", "absent", "switched_off"]
Missing: TypeAlias = Literal["keep", "switch_off"]
"""What is done with active roles and orchestrations that a bundle does not hold."""


class BundleRole(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """All of a role's content: what a file leaves out has its default."""

    name: Name
    base_prompt: Text
    description: Text = ""
    tools: tuple[ToolName, ...] = ()
    needs_tools: bool = False
    model: ModelConstraints = ModelConstraints()
    parameters: Parameters = Parameters()
    output_schema: Json = None


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What a text or a folder holds, each thing by its place in it: a JSON Pointer, behind the file if there are files.

    `problems` are those of the structure; a bundle that has any can be checked further, but not loaded. `role_names`
    are the names of all its roles, also of those that could not be read.
    """

    roles: dict[str, BundleRole] = {}
    orchestrations: dict[str, JsonObject] = {}
    role_names: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


class Contents(NamedTuple):
    """Roles and documents, each by name; `roles` is None where nothing is said of any.

    `missing` are orchestrations that these call and that are not among them.
    """

    roles: dict[str, BundleRole] | None
    documents: dict[str, Document]
    missing: tuple[str, ...] = ()


class Item(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a load makes of one role or orchestration, and at which version it is then.

    `changes` are what makes it what it is then of what it was. `absent` is one that is active and not in the bundle:
    it stays as it is, or is `switched_off`.
    """

    noun: Noun
    name: str
    outcome: Outcome
    version: int | None
    changes: tuple[Change, ...] = ()


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle's roles and orchestrations are now, in its order, and what was done for that."""

    roles: tuple[Role, ...]
    orchestrations: tuple[Orchestration, ...]
    items: tuple[Item, ...]


class Imported(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an import has done, or with `dryRun` what it would do, role by role and orchestration by orchestration."""

    dry_run: bool
    items: tuple[Item, ...]


class Exported(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Roles and orchestrations as a text that can be imported, and the names of what is in it.

    `missing` are orchestrations that some of these call and that are not in it, because no version of them is active.
    """

    text: str
    roles: tuple[str, ...]
    orchestrations: tuple[str, ...]
    missing: tuple[str, ...]

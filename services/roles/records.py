"""What callers see of roles and what they write into them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from services import paging
from services.definitions.document import Name, Text
from services.json import Json
from services.models.selection import ModelConstraints
from services.paging import Page
from services.problem import Problem
from services.roles.parts import Parameters

ToolName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]

RoleVersionStatus = Literal["draft", "proposed", "publishing", "published", "rejected", "archived"]


class Role(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A role as it is now. `version` counts its contents; an execution keeps to the one it started with. After
    `expiresAt` none starts any more whose steps use it.

    `problems` are what keeps it from being used, when somebody has written nonsense into its row or a tool has gone:
    what cannot be read has its default here.
    """

    id: UUID
    name: str
    description: str
    base_prompt: str
    tools: tuple[str, ...]
    needs_tools: bool
    model: ModelConstraints
    parameters: Parameters
    output_schema: Json
    is_active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    problems: tuple[Problem, ...] = ()


class RolePage(Page[Role], frozen=True, kw_only=True, rename="camel"):
    """Roles in the order that was asked for."""


class RoleSort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """By what, and which way."""

    by: Literal["name", "createdAt", "updatedAt"] = "name"
    order: paging.Direction = "asc"


class RoleVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a role is or was while its `version` was this `number`, or what somebody has drafted or proposed it to be.

    `publishing` is what somebody has asked a server to publish. `createdBy` is who drafted or proposed it, and null
    where the role itself was edited. `decidedBy` is who published or rejected it; `rejection` says why. `problems` are
    what keeps it from being published or used; what cannot be read has its default here.
    """

    number: int
    status: RoleVersionStatus
    is_present: bool
    message: str
    created_by: str | None
    created_at: datetime
    decided_by: str | None
    published_at: datetime | None
    rejected_at: datetime | None
    rejection: str
    problems: tuple[Problem, ...]
    name: str
    description: str
    base_prompt: str
    tools: tuple[str, ...]
    needs_tools: bool
    model: ModelConstraints
    parameters: Parameters
    output_schema: Json


class RoleVersionPage(Page[RoleVersion], frozen=True, kw_only=True, rename="camel"):
    """The versions of a role, the newest first."""


class RoleContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a role was at one of its versions. `id` is the role's own, whatever it is called by now."""

    id: UUID
    name: str
    base_prompt: str
    tools: tuple[str, ...] = ()
    needs_tools: bool = False
    model: ModelConstraints = ModelConstraints()
    parameters: Parameters = Parameters()
    output_schema: Json = None


class ContentChanges(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change about the content of a role; what is left out stays as it is."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType = msgspec.UNSET
    base_prompt: Text | msgspec.UnsetType = msgspec.UNSET
    tools: tuple[ToolName, ...] | msgspec.UnsetType = msgspec.UNSET
    needs_tools: bool | msgspec.UnsetType = msgspec.UNSET
    model: ModelConstraints | msgspec.UnsetType = msgspec.UNSET
    parameters: Parameters | msgspec.UnsetType = msgspec.UNSET
    output_schema: Json | msgspec.UnsetType = msgspec.UNSET


class RoleChanges(ContentChanges, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change about a role; what is left out stays as it is."""

    is_active: bool | msgspec.UnsetType = msgspec.UNSET


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field that differs. `lines` is how a text does: each line of either with `- `, `+ ` or two blanks before it."""

    field: str
    before: Json
    after: Json
    lines: tuple[str, ...] = ()

"""What the services say about orchestrations and their versions."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.definitions.document import Document
from services.definitions.effects import Effect
from services.orchestrations.closure import Closure
from services.paging import Direction, Page
from services.problem import Problem

VersionStatus = Literal["draft", "proposed", "publishing", "published", "rejected", "archived"]


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A version that takes a share of the starts beside the active one: of a hundred keys about `percent`."""

    version: int
    percent: int


class OrchestrationSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An orchestration in a list. After `expiresAt` nothing starts from its active version any more."""

    id: UUID
    name: str
    description: str
    tags: tuple[str, ...]
    is_active: bool
    version: int | None
    expires_at: datetime | None
    canary: Canary | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class OrchestrationPage(Page[OrchestrationSummary], frozen=True, kw_only=True, rename="camel"):
    """Orchestrations in the order that was asked for."""


class OrchestrationSort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """By what, and which way."""

    by: Literal["name", "createdAt", "updatedAt"] = "name"
    order: Direction = "asc"


class Orchestration(OrchestrationSummary, frozen=True, kw_only=True, rename="camel"):
    """An orchestration with the document of its active version, and what that was found to reach when published."""

    version_id: UUID
    digest: str
    max_step_runs: int
    effects: tuple[Effect, ...]
    document: Document


class VersionSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One numbered state of an orchestration, in a list. `publishing` is what somebody has asked a server to publish.

    `digest` and `maxStepRuns` are known once it is published. Versions of one `major` can take each other's place: each
    takes every input that the one active before it took, and promises no less of its output. `canaryPercent` is the
    share of the starts that it takes beside the active one. `decidedBy` is who published or rejected it; `rejection`
    says why. After `expiresAt` nothing starts from it any more.
    """

    id: UUID
    orchestration: str
    number: int
    status: VersionStatus
    is_active: bool
    canary_percent: int | None
    major: int
    digest: str | None
    max_step_runs: int | None
    message: str
    created_by: str
    created_at: datetime
    decided_by: str | None
    published_at: datetime | None
    rejected_at: datetime | None
    rejection: str
    expires_at: datetime | None


class VersionPage(Page[VersionSummary], frozen=True, kw_only=True, rename="camel"):
    """The versions of an orchestration, the newest first."""


class Version(VersionSummary, frozen=True, kw_only=True, rename="camel"):
    """A version with its document, and its digest in any case.

    `problems` are what keeps one that is not decided from being published as things are now. `effects` are what its
    executions can reach outside, and `closure` the roles and orchestrations that it leads to: as they were when it was
    published, and as things are now where it is not. Executions take what is there when they start; `drift` names what
    is another now than in the closure.
    """

    document: Document
    problems: tuple[Problem, ...]
    effects: tuple[Effect, ...]
    closure: Closure
    drift: tuple[str, ...]


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """The orchestration that a new execution belongs to, and the version that it runs."""

    id: UUID
    name: str
    version: UUID


class Validation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is wrong with a document. Without problems: its digest and the most steps that an execution can run."""

    problems: tuple[Problem, ...]
    digest: str | None = None
    max_step_runs: int | None = None

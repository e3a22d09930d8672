"""Orchestrations: workflows by name. Each state of one is a version; a published version never changes."""

from services.orchestrations.reading import (
    active,
    diff,
    get,
    list_,
    newest_roles,
    validate,
    version,
    version_ids,
    versions,
)
from services.orchestrations.records import (
    Active,
    Orchestration,
    OrchestrationPage,
    OrchestrationSort,
    OrchestrationSummary,
    Validation,
    Version,
    VersionPage,
    VersionStatus,
    VersionSummary,
)
from services.orchestrations.rows import executable, id_of
from services.orchestrations.versioning import activate, archive, discard, draft, propose, publish, reject, rollback
from services.orchestrations.writing import create, delete, update

__all__ = [
    "Active",
    "Orchestration",
    "OrchestrationPage",
    "OrchestrationSort",
    "OrchestrationSummary",
    "Validation",
    "Version",
    "VersionPage",
    "VersionStatus",
    "VersionSummary",
    "activate",
    "active",
    "archive",
    "create",
    "delete",
    "diff",
    "discard",
    "draft",
    "executable",
    "get",
    "id_of",
    "list_",
    "newest_roles",
    "propose",
    "publish",
    "reject",
    "rollback",
    "update",
    "validate",
    "version",
    "version_ids",
    "versions",
]

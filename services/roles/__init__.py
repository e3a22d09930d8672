"""Roles: who a model plays. A role is a row that people and agents edit; its every content is kept as a version, and
versions can be drafted and proposed before the role is any of it.
"""

from services.roles.comparing import diff
from services.roles.contents import check_usable, content, newest_versions
from services.roles.parts import Parameters
from services.roles.reading import active, get, ids_by_name, list_, named
from services.roles.records import (
    ContentChanges,
    FieldChange,
    Role,
    RoleChanges,
    RoleContent,
    RolePage,
    RoleSort,
    RoleVersion,
    RoleVersionPage,
    RoleVersionStatus,
    ToolName,
)
from services.roles.requesting import publication_requests
from services.roles.rows import id_of
from services.roles.versioning import archive, discard, draft, propose, publish, reject, versions
from services.roles.writing import create, delete, promote, rollback, update

__all__ = [
    "ContentChanges",
    "FieldChange",
    "Parameters",
    "Role",
    "RoleChanges",
    "RoleContent",
    "RolePage",
    "RoleSort",
    "RoleVersion",
    "RoleVersionPage",
    "RoleVersionStatus",
    "ToolName",
    "active",
    "archive",
    "check_usable",
    "content",
    "create",
    "delete",
    "diff",
    "discard",
    "draft",
    "get",
    "id_of",
    "ids_by_name",
    "list_",
    "named",
    "newest_versions",
    "promote",
    "propose",
    "publication_requests",
    "publish",
    "reject",
    "rollback",
    "update",
    "versions",
]

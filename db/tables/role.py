"""Roles: who a model plays, and what each role was before."""

from enum import StrEnum

from piccolo.columns import JSONB, UUID, Array, Boolean, ForeignKey, Integer, OnDelete, Text, Timestamptz, Varchar
from piccolo.columns.readable import Readable
from piccolo.table import Table
from uuid_utils.compat import uuid7


class Role(Table, tablename="role"):
    """Who a model plays: a prompt, tools and a wish for a model.

    Edit freely: a trigger counts `version` and keeps every content in `role_version`. Saving an object that somebody
    has changed since it was read is refused, because its `version` is no longer the row's.
    """

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=100, null=False, default=None, unique=True)
    description = Text(null=False, default="")
    base_prompt = Text(null=False, default=None, help_text="The system prompt of every call.")
    tools = Array(
        base_column=Varchar(length=None),
        null=False,
        default=list,
        help_text="Names of tools, patterns such as `files.*`, and tags such as `meta`.",
    )
    needs_tools = Boolean(null=False, default=False, help_text="Only models that can call tools will do.")
    model = JSONB(
        null=False,
        default="{}",
        help_text="Its model: preferred, fallbacks, providers, capabilities, minContextTokens, maxCostPerMillion.",
    )
    parameters = JSONB(
        null=False,
        default="{}",
        help_text="How the model is asked: temperature, maxOutputTokens, repairs, contextPolicy.",
    )
    output_schema = JSONB(null=True, default=None, help_text="JSON Schema that an answer has to satisfy.")
    is_active = Boolean(null=False, default=True)
    version = Integer(null=False, default=1, help_text="Counted by the database whenever the content changes.")
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)
    updated_at = Timestamptz(null=False, help_text="Set by the database at every update.")
    expires_at = Timestamptz(null=True, default=None, help_text="From when on nothing starts with it; null for never.")

    @classmethod
    def get_readable(cls) -> Readable:
        return Readable(template="%s", columns=[cls.name])


class RoleVersionStatus(StrEnum):
    """From above to below: a draft may be proposed, and what is proposed is published or rejected. Never back, but what
    a server has found not fit to be published is a draft or a proposal again.
    """

    draft = "draft"
    proposed = "proposed"
    publishing = "publishing"
    published = "published"
    rejected = "rejected"
    archived = "archived"


class RoleVersion(Table, tablename="role_version"):
    """What a role was at one of its versions, or is drafted or proposed to be.

    A trigger on `role` writes what it was; that is gone only when its role is. To publish a draft or a proposal changes
    the role.
    """

    id = UUID(primary_key=True, default=uuid7)
    role_id = ForeignKey(Role, null=False, default=None, on_delete=OnDelete.cascade)
    number = Integer(null=False, default=None)
    status = Varchar(length=None, null=False, default=RoleVersionStatus.draft, choices=RoleVersionStatus)
    content = JSONB(null=False, default=None, help_text="The role's content, keys as its columns.")
    message = Text(null=False, default="", help_text="Why it was drafted or proposed.")
    created_by = Text(null=True, default=None, help_text="Null where an edit of the role has made it.")
    created_at = Timestamptz(null=False)
    decided_by = Text(null=True, default=None, help_text="Who published or rejected it.")
    published_at = Timestamptz(null=True, default=None)
    rejected_at = Timestamptz(null=True, default=None)
    rejection = Text(null=False, default="", help_text="Why it was rejected.")
    problems = JSONB(null=False, default="[]", help_text="What kept it from being published when last asked for.")
    requested_by = Text(null=True, default=None, help_text="Who last asked for its publication.")
    requested_at = Timestamptz(null=True, default=None)
    requested_from = Varchar(length=None, null=True, default=None, help_text="What it was then: draft or proposed.")

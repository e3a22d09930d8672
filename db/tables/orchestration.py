"""Orchestrations: workflows by name, their versions and the steps of each version."""

from enum import StrEnum

from piccolo.columns import (
    JSONB,
    UUID,
    Array,
    Boolean,
    ForeignKey,
    Integer,
    OnDelete,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.readable import Readable
from piccolo.columns.reference import LazyTableReference
from piccolo.table import Table
from uuid_utils.compat import uuid7

from db.tables.role import Role


class VersionStatus(StrEnum):
    """From above to below: a draft may be proposed, and what is proposed is published or rejected. Only what waits to
    be published goes back to what it was, when a server has found problems.
    """

    draft = "draft"
    proposed = "proposed"
    publishing = "publishing"
    published = "published"
    rejected = "rejected"
    archived = "archived"


class StepKind(StrEnum):
    """What a step does; `agent` when a document does not say."""

    agent = "agent"
    llm = "llm"
    tool = "tool"
    code = "code"
    transform = "transform"
    wait = "wait"
    approval = "approval"
    webhook = "webhook"
    orchestration = "orchestration"
    branch = "branch"
    loop = "loop"
    map = "map"
    group = "group"
    fail = "fail"
    stop = "stop"


class Orchestration(Table, tablename="orchestration"):
    """A workflow by name. What it does stands in its versions; executions start from the active one.

    The active version is a published one of this orchestration. That is checked at commit, so both can be written in
    one transaction in any order. Deleting an orchestration takes its versions and steps along, unless one was ever
    executed.
    """

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=100, null=False, default=None, unique=True)
    description = Text(null=False, default="")
    tags = Array(base_column=Varchar(length=None), null=False, default=list)
    is_active = Boolean(null=False, default=True, help_text="Inactive: nothing new starts; what runs goes on.")
    active_version_id = ForeignKey(
        LazyTableReference("OrchestrationVersion", module_path="db.tables.orchestration"),
        null=True,
        default=None,
        on_delete=OnDelete.restrict,
        help_text="The version that executions start from.",
    )
    canary_version_id = ForeignKey(
        LazyTableReference("OrchestrationVersion", module_path="db.tables.orchestration"),
        null=True,
        default=None,
        on_delete=OnDelete.restrict,
        help_text="One that takes a share of the starts; it ends when another becomes active.",
    )
    canary_percent = SmallInt(null=True, default=None, help_text="How large a share, of the keys of the starts.")
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)
    updated_at = Timestamptz(null=False, help_text="Set by the database at every update.")

    @classmethod
    def get_readable(cls) -> Readable:
        return Readable(template="%s", columns=[cls.name])


class OrchestrationVersion(Table, tablename="orchestration_version"):
    """One state of an orchestration.

    Drafts are edited, and what is proposed waits as it is for a decision. Whoever writes the status `publishing` asks
    the servers to publish it: one of them checks it and answers in the row. Published ones are what executions run, and
    never change.
    """

    id = UUID(primary_key=True, default=uuid7)
    orchestration_id = ForeignKey(Orchestration, null=False, default=None, on_delete=OnDelete.cascade)
    number = Integer(null=False, default=None)
    status = Varchar(length=None, null=False, default=VersionStatus.draft, choices=VersionStatus)
    document = JSONB(null=False, default=None, help_text="Everything but the steps: name, tags, schemas, output.")
    digest = Varchar(length=71, null=True, default=None, help_text="sha256 of the canonical document, steps included.")
    max_step_runs = Integer(null=True, default=None, help_text="No execution runs more steps than this.")
    major = Integer(null=False, default=1, help_text="One more with each publication that broke what callers rely on.")
    edits = Integer(null=False, default=0, help_text="Counted by the database: the statements that wrote steps of it.")
    message = Text(null=False, default="", help_text="Why this version was made.")
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)
    decided_by = Text(null=True, default=None, help_text="Who published or rejected it.")
    published_at = Timestamptz(null=True, default=None)
    rejected_at = Timestamptz(null=True, default=None)
    rejection = Text(null=False, default="", help_text="Why it was rejected.")
    problems = JSONB(null=False, default="[]", help_text="What kept it from being published when last asked for.")
    activates = Boolean(null=False, default=True, help_text="Published on request, it is active at once.")
    allows_breaking = Boolean(null=False, default=False, help_text="Published on request, it may break callers.")
    requested_by = Text(null=True, default=None, help_text="Who last asked for its publication.")
    requested_at = Timestamptz(null=True, default=None)
    requested_from = Varchar(length=None, null=True, default=None, help_text="What it was then: draft or proposed.")
    effects = JSONB(null=False, default="[]", help_text="What its executions can do to the world outside.")
    closure = JSONB(null=False, default="{}", help_text="The roles and orchestrations that it was checked with.")
    expires_at = Timestamptz(null=True, default=None, help_text="From when on nothing starts from it; null for never.")

    @classmethod
    def get_readable(cls) -> Readable:
        return Readable(template="%s, version %s", columns=[cls.orchestration_id.name, cls.number])


class OrchestrationStep(Table, tablename="orchestration_step"):
    """A step of a version; the steps form a tree by `parent_id` and `slot`. Read-only once the version is published."""

    id = UUID(primary_key=True, default=uuid7)
    version_id = ForeignKey(OrchestrationVersion, null=False, default=None, on_delete=OnDelete.cascade)
    parent_id = ForeignKey("self", null=True, default=None, on_delete=OnDelete.cascade)
    slot = Varchar(
        length=None,
        null=False,
        default="main",
        help_text="Top level: main, onFailure, finally. In a step: body, case:<name>, else, catch:<n>, compensate.",
    )
    name = Varchar(length=100, null=False, default=None, help_text="The key of its output in the context.")
    order = Integer(null=False, default=None, help_text="Among its siblings; equal only inside one parallel group.")
    kind = Varchar(length=None, null=False, default=None, choices=StepKind)
    parallel_group = Varchar(length=None, null=True, default=None)
    role_id = ForeignKey(Role, null=True, default=None, on_delete=OnDelete.restrict)
    role_name = Varchar(length=None, null=True, default=None, help_text="Resolved to `role_id` when published.")
    condition = JSONB(null=True, default=None)
    input_mapping = JSONB(null=True, default=None, help_text="Absent: the step sees the whole context.")
    output_mapping = JSONB(null=True, default=None, help_text="Absent: the output is stored under the step's name.")
    config = JSONB(null=False, default="{}", help_text="What only this kind of step has.")
    max_retries = Integer(null=False, default=0, help_text="Attempts after the first.")
    retry_delay_ms = Integer(null=False, default=1000)
    timeout_ms = Integer(null=True, default=None, help_text="Of each attempt; null for what its kind has.")

    @classmethod
    def get_readable(cls) -> Readable:
        return Readable(template="%s", columns=[cls.name])

"""Executions: the runs of published versions."""

from enum import StrEnum

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    Boolean,
    ForeignKey,
    Integer,
    Numeric,
    OnDelete,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.table import Table
from uuid_utils.compat import uuid7

from db.tables.clock import DatabaseClock
from db.tables.orchestration import OrchestrationVersion
from db.tables.worker import Worker


class Status(StrEnum):
    """Running and cancelling have an owner; the last four are final."""

    queued = "queued"
    running = "running"
    waiting = "waiting"
    paused = "paused"
    cancelling = "cancelling"
    completed = "completed"
    failed = "failed"
    timed_out = "timed_out"
    cancelled = "cancelled"


class Execution(Table, tablename="execution"):
    """One run of one published orchestration version.

    An execution is due once `available_at` has passed. A claim sets `owner`, raises `epoch` and clears `available_at`;
    everything the owner writes is fenced by both. When it parks or its worker dies, the owner is cleared again.

    One that runs a step of another execution is its child: at most one for each attempt. History goes only with
    `services.retention`.
    """

    id = UUID(primary_key=True, default=uuid7)
    version_id = ForeignKey(OrchestrationVersion, null=False, default=None, on_delete=OnDelete.restrict)
    status = Varchar(length=None, null=False, default=Status.queued, choices=Status)
    input = JSONB(null=False, default=None)
    output = JSONB(null=True, default=None)
    error = JSONB(null=True, default=None)
    started_by = JSONB(null=False, default=None, help_text="The principal: kind, name, scopes.")
    idempotency_key = Varchar(length=200, null=True, default=None, help_text="Unique for each starter.")
    request_digest = Varchar(length=None, null=True, default=None, help_text="Tells the same key with another request.")
    available_at = Timestamptz(
        null=True, default=DatabaseClock(), help_text="Start time or timer; null while owned, paused or finished."
    )
    owner = ForeignKey(Worker, null=True, default=None, on_delete=OnDelete.restrict)
    epoch = BigInt(null=False, default=0, help_text="Rises with each claim; a write under an older one is refused.")
    wake_seq = BigInt(null=False, default=0, help_text="Rises with each message; parking compares it.")
    claims = Integer(null=False, default=0, help_text="Since its journal was last seen to have grown.")
    claimed_seq = Integer(null=False, default=0, help_text="How long its journal was then.")
    active_ms = BigInt(null=False, default=0, help_text="How long workers have worked on it, in milliseconds.")
    created_at = Timestamptz(null=False, default=DatabaseClock())
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    cancel_requested_at = Timestamptz(null=True, default=None, help_text="Set with its first cancel, for good.")
    priority = SmallInt(null=False, default=0, help_text="Of what is due, the higher is claimed first: -100 to 100.")
    forked_from = ForeignKey(
        "self", null=True, default=None, on_delete=OnDelete.restrict, help_text="The execution that this one restarts."
    )
    parent_execution_id = ForeignKey(
        "self", null=True, default=None, on_delete=OnDelete.restrict, help_text="Whose step this is a run of."
    )
    parent_path = Text(null=True, default=None, help_text="The instance path of that step.")
    parent_attempt = Integer(null=True, default=None, help_text="Which attempt at that step.")
    is_detached = Boolean(null=False, default=False, help_text="Its parent has only started it and does not wait.")
    depth = SmallInt(null=False, default=0, help_text="How many parents are above it.")
    budget_usd = Numeric(null=True, default=None, help_text="What it and all below it may cost.")
    budget_tokens = BigInt(null=True, default=None, help_text="How many tokens they may read and write.")
    is_budgeted = Boolean(null=False, default=False, help_text="It, or something above it, has a budget.")

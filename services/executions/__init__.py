"""Executions: start, watch, steer and restart the runs of orchestrations, and settle their steps by hand."""

from services.executions.following import AttemptStarted, Delta, Followed, Recorded, follow
from services.executions.overriding import complete_step, skip_step
from services.executions.reading import get, get_with_steps, list_, steps
from services.executions.records import (
    FINISHED,
    MAX_KEY,
    SETTLED,
    Execution,
    ExecutionDetail,
    IdempotencyKey,
    RoleAssignments,
    Status,
    StepLog,
)
from services.executions.restarting import restart, retry
from services.executions.starting import start
from services.executions.steering import cancel, pause, resume

__all__ = [
    "FINISHED",
    "MAX_KEY",
    "SETTLED",
    "AttemptStarted",
    "Delta",
    "Execution",
    "ExecutionDetail",
    "Followed",
    "IdempotencyKey",
    "Recorded",
    "RoleAssignments",
    "Status",
    "StepLog",
    "cancel",
    "complete_step",
    "follow",
    "get",
    "get_with_steps",
    "list_",
    "pause",
    "restart",
    "resume",
    "retry",
    "skip_step",
    "start",
    "steps",
]

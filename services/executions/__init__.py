"""Executions: start, watch and steer the runs of orchestrations."""

from services.executions.following import AttemptStarted, Delta, Followed, Recorded, follow
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
    "follow",
    "get",
    "get_with_steps",
    "list_",
    "pause",
    "resume",
    "start",
    "steps",
]

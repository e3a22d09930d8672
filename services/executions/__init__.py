"""Executions: start, watch and steer the runs of orchestrations."""

from services.executions.reading import get, get_with_steps, list_, steps
from services.executions.records import (
    FINISHED,
    MAX_DELAY_MS,
    MAX_KEY,
    MAX_PRIORITY,
    MIN_PRIORITY,
    SETTLED,
    DelayMs,
    Execution,
    ExecutionDetail,
    IdempotencyKey,
    Instant,
    Priority,
    RoleAssignments,
    Status,
    StepLog,
)
from services.executions.starting import start
from services.executions.steering import cancel, pause, resume

__all__ = [
    "FINISHED",
    "MAX_DELAY_MS",
    "MAX_KEY",
    "MAX_PRIORITY",
    "MIN_PRIORITY",
    "SETTLED",
    "DelayMs",
    "Execution",
    "ExecutionDetail",
    "IdempotencyKey",
    "Instant",
    "Priority",
    "RoleAssignments",
    "Status",
    "StepLog",
    "cancel",
    "get",
    "get_with_steps",
    "list_",
    "pause",
    "resume",
    "start",
    "steps",
]

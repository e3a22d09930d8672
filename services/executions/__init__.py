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
    Steered,
    StepLog,
)
from services.executions.selecting import ExecutionFilter
from services.executions.starting import start
from services.executions.steering import cancel, cancel_many, pause, pause_many, resume, resume_many

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
    "ExecutionFilter",
    "IdempotencyKey",
    "Instant",
    "Priority",
    "RoleAssignments",
    "Status",
    "Steered",
    "StepLog",
    "cancel",
    "cancel_many",
    "get",
    "get_with_steps",
    "list_",
    "pause",
    "pause_many",
    "resume",
    "resume_many",
    "start",
    "steps",
]

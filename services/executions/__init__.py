"""Executions: start, watch, steer, signal and restart the runs of orchestrations, and settle their steps by hand."""

from services.engine.progress import AttemptStarted, Delta, Progress, ToolAnswered, ToolCalled, TurnStarted
from services.executions.following import Followed, Recorded, follow
from services.executions.listing import list_
from services.executions.overriding import complete_step, skip_step
from services.executions.reading import get, get_with_steps, steps
from services.executions.records import (
    FINISHED,
    MAX_DELAY_MS,
    MAX_PRIORITY,
    MIN_PRIORITY,
    SETTLED,
    DelayMs,
    Execution,
    ExecutionDetail,
    ExecutionPage,
    ExecutionSort,
    NotRetried,
    Priority,
    Retried,
    RoleAssignments,
    Status,
    Steered,
    StepLog,
    StickyKey,
)
from services.executions.requesting import start_requests
from services.executions.restarting import restart, retry
from services.executions.retrying import retry_many
from services.executions.running import run
from services.executions.selecting import ExecutionFilter
from services.executions.signalling import signal
from services.executions.starting import start
from services.executions.steering import cancel, cancel_many, pause, pause_many, resume, resume_many

__all__ = [
    "FINISHED",
    "MAX_DELAY_MS",
    "MAX_PRIORITY",
    "MIN_PRIORITY",
    "SETTLED",
    "AttemptStarted",
    "DelayMs",
    "Delta",
    "Execution",
    "ExecutionDetail",
    "ExecutionFilter",
    "ExecutionPage",
    "ExecutionSort",
    "Followed",
    "NotRetried",
    "Priority",
    "Progress",
    "Recorded",
    "Retried",
    "RoleAssignments",
    "Status",
    "Steered",
    "StepLog",
    "StickyKey",
    "ToolAnswered",
    "ToolCalled",
    "TurnStarted",
    "cancel",
    "cancel_many",
    "complete_step",
    "follow",
    "get",
    "get_with_steps",
    "list_",
    "pause",
    "pause_many",
    "restart",
    "resume",
    "resume_many",
    "retry",
    "retry_many",
    "run",
    "signal",
    "skip_step",
    "start",
    "start_requests",
    "steps",
]

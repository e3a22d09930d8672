"""Every table that Rolecall has, one module per noun."""

from db.tables.answer import Answer
from db.tables.audit import Audit, AuditAnchor, AuditPending
from db.tables.budget import Budget, BudgetAccount, BudgetReservation
from db.tables.execution import Execution
from db.tables.execution_request import ExecutionRequest
from db.tables.idempotency import IdempotencyKey
from db.tables.inbox import Inbox
from db.tables.journal import Journal
from db.tables.model import DefaultModel, Model, ModelPrice, Provider
from db.tables.orchestration import Orchestration, OrchestrationStep, OrchestrationVersion
from db.tables.role import Role, RoleVersion
from db.tables.secret import Secret
from db.tables.session import Session
from db.tables.signal_key import SignalKey
from db.tables.step_metric import StepMetric, StepMetricHour
from db.tables.token import Token
from db.tables.tool_source import McpSource, McpTool
from db.tables.worker import Worker

TABLES = (
    Role,
    RoleVersion,
    Orchestration,
    OrchestrationVersion,
    OrchestrationStep,
    Worker,
    Execution,
    ExecutionRequest,
    Journal,
    Inbox,
    SignalKey,
    Answer,
    StepMetric,
    StepMetricHour,
    Budget,
    BudgetAccount,
    BudgetReservation,
    Token,
    Session,
    IdempotencyKey,
    Secret,
    Provider,
    Model,
    ModelPrice,
    DefaultModel,
    McpSource,
    McpTool,
    Audit,
    AuditPending,
    AuditAnchor,
)

__all__ = [
    "TABLES",
    "Answer",
    "Audit",
    "AuditAnchor",
    "AuditPending",
    "Budget",
    "BudgetAccount",
    "BudgetReservation",
    "DefaultModel",
    "Execution",
    "ExecutionRequest",
    "IdempotencyKey",
    "Inbox",
    "Journal",
    "McpSource",
    "McpTool",
    "Model",
    "ModelPrice",
    "Orchestration",
    "OrchestrationStep",
    "OrchestrationVersion",
    "Provider",
    "Role",
    "RoleVersion",
    "Secret",
    "Session",
    "SignalKey",
    "StepMetric",
    "StepMetricHour",
    "Token",
    "Worker",
]

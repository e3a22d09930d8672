"""Which tables have a page, who may read and write them there, and which of their columns a form may change."""

from dataclasses import dataclass

from piccolo.columns import Column
from piccolo.table import Table

from db import tables
from services.principal import SCOPES, Scope


@dataclass(frozen=True, kw_only=True)
class Page:
    """A table with a page of its own.

    Who reads it holds all of `reads`. Who writes it holds `writes`, and changes the columns that are `edited`; those
    that the database writes may be sent along as they are. `made_by` says how rows come to be that no form adds. The
    list shows the columns `shown`, all when there are none, in their `order`, by columns that rise or fall.
    """

    table: type[Table]
    group: str
    reads: tuple[Scope, ...]
    writes: Scope | None = None
    edited: tuple[Column, ...] = ()
    made_by: str | None = None
    shown: tuple[Column, ...] = ()
    link: Column | None = None
    rising: tuple[Column, ...] = ()
    falling: tuple[Column, ...] = ()

    @property
    def name(self) -> str:
        return self.table._meta.tablename


_Role, _Orchestration = tables.Role, tables.Orchestration
_Version, _Step = tables.OrchestrationVersion, tables.OrchestrationStep
_Execution, _Journal, _Token = tables.Execution, tables.Journal, tables.Token

_ROLES = (
    Page(
        table=_Role,
        group="Definitions",
        reads=("roles.read",),
        writes="roles.write",
        edited=(
            _Role.name,
            _Role.description,
            _Role.base_prompt,
            _Role.tools,
            _Role.needs_tools,
            _Role.model,
            _Role.parameters,
            _Role.output_schema,
            _Role.is_active,
            # Sent as it was read: the database refuses it when somebody has changed the role since.
            _Role.version,
        ),
        shown=(_Role.name, _Role.description, _Role.tools, _Role.is_active, _Role.version, _Role.updated_at),
        link=_Role.name,
        rising=(_Role.name,),
    ),
    Page(
        table=tables.RoleVersion, group="Definitions", reads=("roles.read",), falling=(tables.RoleVersion.created_at,)
    ),
)

_ORCHESTRATIONS = (
    Page(
        table=_Orchestration,
        group="Definitions",
        reads=("orchestrations.read",),
        writes="orchestrations.write",
        edited=(
            _Orchestration.name,
            _Orchestration.description,
            _Orchestration.tags,
            _Orchestration.is_active,
            _Orchestration.active_version_id,
            _Orchestration.canary_version_id,
            _Orchestration.canary_percent,
        ),
        made_by="orchestration.draft makes an orchestration with its first version",
        shown=(
            _Orchestration.name,
            _Orchestration.description,
            _Orchestration.tags,
            _Orchestration.is_active,
            _Orchestration.active_version_id,
            _Orchestration.updated_at,
        ),
        link=_Orchestration.name,
        rising=(_Orchestration.name,),
    ),
    Page(
        table=_Version,
        group="Definitions",
        reads=("orchestrations.read",),
        writes="orchestrations.write",
        edited=(
            _Version.status,
            _Version.document,
            _Version.message,
            _Version.rejection,
            _Version.activates,
            _Version.allows_breaking,
        ),
        made_by="the form Draft makes a version to edit",
        shown=(
            _Version.id,
            _Version.orchestration_id,
            _Version.number,
            _Version.status,
            _Version.problems,
            _Version.message,
            _Version.created_by,
            _Version.created_at,
        ),
        falling=(_Version.created_at,),
    ),
    Page(
        table=_Step,
        group="Definitions",
        reads=("orchestrations.read",),
        writes="orchestrations.write",
        edited=tuple(column for column in _Step._meta.columns if column._meta.name != "id"),
        shown=(_Step.name, _Step.version_id, _Step.parent_id, _Step.slot, _Step.order, _Step.kind, _Step.role_name),
        link=_Step.name,
        falling=(_Step.version_id,),
        rising=(_Step.slot, _Step.order),
    ),
)

_Provider, _Model, _Price, _Default = tables.Provider, tables.Model, tables.ModelPrice, tables.DefaultModel
# Secrets have no page: `secret.set` encrypts them.
_MODELS = (
    Page(
        table=_Provider,
        group="Models",
        reads=("models.write",),
        writes="models.write",
        edited=(
            _Provider.name,
            _Provider.preset,
            _Provider.base_url,
            _Provider.api,
            _Provider.secret,
            _Provider.key_variable,
            _Provider.timeout_ms,
            _Provider.max_concurrent,
            _Provider.requests_per_minute,
            _Provider.tokens_per_minute,
            _Provider.capabilities,
            _Provider.is_active,
        ),
        shown=(_Provider.name, _Provider.preset, _Provider.base_url, _Provider.is_active, _Provider.updated_at),
        link=_Provider.name,
        rising=(_Provider.name,),
    ),
    Page(
        table=_Model,
        group="Models",
        reads=("models.write",),
        writes="models.write",
        edited=(
            _Model.provider_id,
            _Model.name,
            _Model.capabilities,
            _Model.context_tokens,
            _Model.max_output_tokens,
            _Model.only_by_name,
            _Model.is_active,
        ),
        shown=(_Model.name, _Model.provider_id, _Model.context_tokens, _Model.only_by_name, _Model.is_active),
        link=_Model.name,
        rising=(_Model.name,),
    ),
    Page(table=_Price, group="Models", reads=("models.read",), link=_Price.model, falling=(_Price.number,)),
    Page(
        table=_Default,
        group="Models",
        reads=("models.read",),
        made_by="model.switch asks the model before it makes it the default",
        link=_Default.model,
        rising=(_Default.model,),
    ),
)

_EXECUTIONS = (
    Page(
        table=_Execution,
        group="Executions",
        reads=("executions.read",),
        shown=(
            _Execution.id,
            _Execution.version_id,
            _Execution.status,
            _Execution.created_at,
            _Execution.finished_at,
            _Execution.priority,
            _Execution.parent_execution_id,
        ),
        falling=(_Execution.id,),
    ),
    Page(
        table=_Journal,
        group="Executions",
        reads=("executions.read",),
        link=_Journal.seq,
        falling=(_Journal.execution_id, _Journal.seq),
    ),
    Page(table=tables.Inbox, group="Executions", reads=("executions.read",), falling=(tables.Inbox.id,)),
    Page(table=tables.Worker, group="Executions", reads=("executions.read",), rising=(tables.Worker.name,)),
)

# Nobody sees the token of somebody who may do more, or all that others have done; `token.list` shows each what is
# theirs to see.
_ACCESS = (
    Page(table=_Token, group="Access", reads=SCOPES, link=_Token.name, rising=(_Token.name,)),
    Page(table=tables.Audit, group="Access", reads=("audit.read",), falling=(tables.Audit.seq,)),
)

PAGES = (*_ROLES, *_ORCHESTRATIONS, *_MODELS, *_EXECUTIONS, *_ACCESS)

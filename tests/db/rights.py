"""What each database role may do, said a second time: a right that nobody has decided about is a mistake."""

from __future__ import annotations

READ = "SELECT"
WRITE = "SELECT INSERT UPDATE DELETE"
DEFINITIONS = ("role", "orchestration", "orchestration_version", "orchestration_step")
BUDGETS = ("budget", "budget_account", "budget_reservation")
EVERYTHING_BUT_SECRETS = {
    **dict.fromkeys(
        (*DEFINITIONS, "role_version", "execution", "journal", "inbox", "worker", "signal_key", "idempotency_key"), READ
    ),
    **dict.fromkeys(("audit", "audit_anchor", "journal_event", "execution_priority", "row_request", "migration"), READ),
    "execution_request": READ,
    **dict.fromkeys((*BUDGETS, "budget_overview", "answer", "step_metric", "step_metric_hour"), READ),
    **dict.fromkeys(("workflow_overview", "version_history", "role_usage", "execution_overview", "waiting_for"), READ),
    **dict.fromkeys(("step_log", "model_call_log", "failure_overview", "cost_by_role"), READ),
    **dict.fromkeys(("provider", "model", "model_price", "default_model", "mcp_source", "mcp_tool"), READ),
    "token": "SELECT(-hash)",
    "session": "SELECT(-hash)",
    "secret": "SELECT(-value)",
}
TRUNCATE = " TRUNCATE"

# By role, what it may do with each table and view: in all columns, in (some) of them, or in all but (-some).
RIGHTS: dict[str, dict[str, str]] = {
    "rolecall_app": {
        **dict.fromkeys((*DEFINITIONS, "role_version", "worker", "inbox", "session", "idempotency_key"), WRITE),
        **dict.fromkeys((*BUDGETS, "answer"), WRITE),
        "budget_overview": READ,
        **dict.fromkeys(("step_metric", "step_metric_hour"), "SELECT INSERT"),
        **dict.fromkeys(("execution", "audit_anchor"), "SELECT INSERT UPDATE"),
        "journal": "SELECT INSERT",
        "signal_key": "SELECT INSERT",
        "token": "SELECT INSERT UPDATE(revoked_at,last_used_at)",
        **dict.fromkeys(("audit", "journal_event", "execution_priority", "row_request", "migration"), READ),
        "execution_request": "SELECT UPDATE DELETE",
        **dict.fromkeys(("secret", "provider", "model", "default_model", "mcp_source", "mcp_tool"), WRITE),
        "model_price": "SELECT INSERT",
    },
    "rolecall_agent": {
        "role": "SELECT INSERT DELETE UPDATE(name,description,base_prompt,tools,needs_tools,model,parameters,"
        "output_schema,is_active)",
        "orchestration": "SELECT INSERT DELETE UPDATE(name,description,tags,is_active,active_version_id,"
        "canary_version_id,canary_percent)",
        "orchestration_version": "SELECT INSERT DELETE UPDATE(status,document,message,digest,max_step_runs,major,"
        "decided_by,published_at,rejected_at,rejection,problems,effects,closure)",
        "orchestration_step": "SELECT INSERT DELETE UPDATE(role_id)",
        "role_version": "SELECT INSERT DELETE UPDATE(status,content,message,decided_by,published_at,rejected_at,"
        "rejection,problems)",
        "execution": "SELECT INSERT UPDATE(id)",
        **dict.fromkeys(("journal", "inbox", "signal_key", "idempotency_key"), "SELECT INSERT"),
        **dict.fromkeys(("mcp_source", "mcp_tool"), READ),
    },
    "rolecall_admin": {
        **EVERYTHING_BUT_SECRETS,
        **dict.fromkeys(
            (
                "role",
                "orchestration",
                "worker",
                "provider",
                "model",
                "default_model",
                "mcp_source",
                "mcp_tool",
                "budget",
            ),
            WRITE,
        ),
        "secret": "SELECT(-value) INSERT UPDATE(name,description,value) DELETE",
        "execution_request": "SELECT INSERT DELETE",
        "answer": "SELECT DELETE",
        **dict.fromkeys(
            (
                "role_version",
                "orchestration_version",
                "orchestration_step",
                "execution",
                "journal",
                "inbox",
                "signal_key",
                "audit",
                "model_price",
            ),
            WRITE + TRUNCATE,
        ),
    },
    "rolecall_readonly": EVERYTHING_BUT_SECRETS,
}

# Functions of the owner's rights that somebody may call; no others are for anybody but their owner.
FUNCTIONS: dict[str, set[str]] = {
    "rolecall_app": {"execution_prune", "journal_drop_partitions", "journal_add_partition"},
    "rolecall_agent": set(),
    "rolecall_admin": set(),
    "rolecall_readonly": set(),
}


def allowed(rights: str, columns: list[str]) -> set[tuple[str, str]]:
    """Every right and column that a line of the table grants; what is about whole tables has the column `*`.

    >>> sorted(allowed("SELECT(-hash) UPDATE(id) DELETE", ["id", "hash"]))
    [('DELETE', '*'), ('SELECT', 'id'), ('UPDATE', 'id')]
    """
    found: set[tuple[str, str]] = set()
    for right in rights.split():
        name, _, named = right.rstrip(")").partition("(")
        if name in ("DELETE", "TRUNCATE"):
            found.add((name, "*"))
        elif named.startswith("-"):
            found |= {(name, column) for column in columns if column not in named[1:].split(",")}
        else:
            found |= {(name, column) for column in columns if not named or column in named.split(",")}
    return found

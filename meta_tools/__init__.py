"""The `system.*` tools: how agents whose role is tagged `meta` make roles and orchestrations, run them and watch them.

They are offered to such roles alone: no other role and no tool step can reach them, by name or by pattern.
"""

from meta_tools import executions, orchestrations, roles
from services.tools import registry
from services.tools.tool import Tool

TOOLS: tuple[Tool, ...] = (
    roles.create,
    roles.list_,
    roles.update,
    roles.delete,
    orchestrations.create,
    orchestrations.list_,
    orchestrations.get,
    orchestrations.update,
    orchestrations.delete,
    executions.execute,
    executions.get_status,
    executions.list_,
)


def install() -> None:
    """Make the tools known to this process, before it serves or works."""
    registry.register(*TOOLS)

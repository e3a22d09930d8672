"""What an agent may make and change beyond its scopes: nothing above itself.

The services hold an agent to the scopes of whoever started its execution. Here it is held to its role: what it makes
has no more tools than the role itself and never `meta`, and it changes neither its own role nor one above it. What it
starts is held to the scope `executions.run` alone: an orchestration of others may do more than the agent's role.
"""

from collections.abc import Iterable

from meta_tools.system import META
from services import catalog, roles
from services.definitions.document import all_steps
from services.definitions.read import read_document
from services.errors import Forbidden, NotFound
from services.json import Json
from services.roles import Role
from services.tools import registry
from services.tools.tool import ToolContext


async def own_role(context: ToolContext) -> Role:
    """The role of the agent that calls, as it is now; known by its id, so that no other role takes its place by a name.

    Raises:
        Forbidden: nobody calls in a role, or the role has gone since.
    """
    if context.role_id is None:
        raise Forbidden("only an agent in a role may do this through a tool; others call the procedures themselves")
    try:
        return await roles.get(context.caller, role=str(context.role_id))
    except NotFound:
        raise Forbidden("the role that you act in is gone, so it allows nothing; report this") from None


def may_give(own: Role, tools: Iterable[str]) -> None:
    """Nothing, when an agent in the role `own` may give these tools to a role.

    Names that grant nothing pass: the service says that they do not exist.

    Raises:
        Forbidden: one of them reaches `meta`, or more than `own` itself may call; says what may be given.
    """
    wishes = tuple(tools)
    if reaches_meta(wishes):
        raise Forbidden(f"a role made or changed by an agent never holds {META!r}; it may have {_givable(own)}")
    if beyond := _beyond(own, wishes):
        message = f"your role {own.name!r} does not hold {', '.join(beyond)}; a role that you make may have"
        raise Forbidden(f"{message} {_givable(own)}")


def may_change(own: Role, target: Role) -> None:
    """Nothing, when an agent in the role `own` may update or delete the role `target`.

    Raises:
        Forbidden: it is the agent's own role, or above it.
    """
    allowed = (
        f"you may change other roles, without {META!r} and with no tools but {_givable(own)}; a person may do this"
    )
    if target.id == own.id:
        raise Forbidden(f"{target.name!r} is the role that you act in; {allowed}")
    if reaches_meta(target.tools):
        raise Forbidden(f"the role {target.name!r} holds {META!r}; {allowed}")
    if beyond := _beyond(own, target.tools):
        raise Forbidden(f"the role {target.name!r} holds {', '.join(beyond)}, which yours does not; {allowed}")


async def may_write(context: ToolContext, own: Role, document: Json) -> None:
    """Nothing, when an agent in the role `own` may write the orchestration `document`.

    Otherwise an agent could reach a tool that it lacks through a step or another role. What cannot be read as a
    document passes: the service says what is wrong with it.

    Raises:
        Forbidden: a step calls a tool that `own` may not, or lets a role act that may call more than `own`.
    """
    known = await catalog.current()
    read = read_document(document, known).document
    for step in all_steps(read) if read is not None else ():
        if step.tool is not None and (beyond := _beyond(own, [step.tool])):
            raise Forbidden(f"the step {step.name!r} calls {beyond[0]}; your role {own.name!r} holds {_givable(own)}")
        if step.role_name is not None and step.role_name in known.roles:
            role = await roles.get(context.caller, role=str(known.roles[step.role_name]))
            if beyond := _beyond(own, role.tools):
                message = f"the role {role.name!r} of the step {step.name!r} holds {', '.join(beyond)}"
                raise Forbidden(f"{message}; use roles that hold no more than yours: {_givable(own)}")


def reaches_meta(tools: Iterable[str]) -> bool:
    """Whether a role with these tools could call a `system.*` tool."""
    wishes = tuple(tools)
    return META in wishes or any(META in tool.tags for tool in registry.granted(wishes).values())


def _beyond(own: Role, wishes: Iterable[str]) -> list[str]:
    """Those of `wishes` that reach further than the role `own`, now or later."""
    held = registry.granted(own.tools).keys()
    beyond: list[str] = []
    for wish in wishes:
        reached = registry.granted([wish]).keys()
        # A pattern or tag that the role does not list itself may come to reach more than the role does.
        is_settled = wish in reached or wish in own.tools
        if reached and not (reached <= held and is_settled):
            beyond.append(wish)
    return beyond


def _givable(own: Role) -> str:
    names = [name for name, tool in registry.granted(own.tools).items() if META not in tool.tags]
    return ", ".join(names) or "no tools"

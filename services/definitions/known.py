"""Does what a document names outside itself exist: roles, tools, orchestrations, and performers for its kinds?"""

from collections.abc import Iterator

from services.definitions.calls import call_of, name_in
from services.definitions.catalog import Catalog
from services.definitions.document import Document, Step, all_steps
from services.definitions.nearby import nearby
from services.definitions.patch import Operation, Remove, Replace
from services.definitions.structure import pointer
from services.definitions.tree import Places
from services.expressions.errors import suggestion
from services.problem import Problem


def check_known(document: Document, places: Places, catalog: Catalog) -> list[Problem]:
    """What the document names that is not in the catalog, and calls that would never end."""
    return [
        problem for step in all_steps(document) for problem in _check_step(step, places[step], document.name, catalog)
    ]


def _check_step(step: Step, place: str, name: str, catalog: Catalog) -> Iterator[Problem]:
    if step.kind not in catalog.kinds:
        message = f"no performer for kind {step.kind!r} on this server"
        allowed = tuple(sorted(catalog.kinds))
        yield Problem(code="NO_PERFORMER", path=place + "/kind", message=message, allowed=allowed)
    if step.role_name is not None and step.role_name not in catalog.roles:
        yield _unknown_role(step.role_name, place + "/roleName", catalog)
    if step.tool is not None and step.tool not in catalog.tools:
        yield _unknown_tool(step.tool, place + "/tool", catalog)
    for index, wish in enumerate(step.tools or ()):
        if not catalog.grants(wish):
            yield _grants_nothing(wish, place + pointer("tools", index), catalog)
    if (call := call_of(step)) is not None:
        yield from _check_call(call, place, name, catalog)


def _unknown_role(name: str, path: str, catalog: Catalog) -> Problem:
    allowed = nearby(name, catalog.roles)
    near, patch = _nearest(name, allowed, path)
    message = f"there is no role {name!r}"
    return Problem(code="UNKNOWN_ROLE", path=path, message=message, allowed=allowed, suggestion=near, patch=patch)


def _unknown_tool(name: str, path: str, catalog: Catalog) -> Problem:
    allowed = nearby(name, sorted(catalog.tools))
    near, patch = _nearest(name, allowed, path)
    message = f"there is no tool {name!r}"
    tags = sorted(tag for tag, names in catalog.tagged.items() if name in names)
    if tags or name.startswith("system."):
        tag = " or ".join(map(repr, tags)) or "'meta'"
        message, patch = f"{name!r} is offered to roles tagged {tag} only: let an agent of such a role call it", ()
    return Problem(code="UNKNOWN_TOOL", path=path, message=message, allowed=allowed, suggestion=near, patch=patch)


def _grants_nothing(wish: str, path: str, catalog: Catalog) -> Problem:
    allowed = nearby(wish, sorted({*catalog.tools, *catalog.tagged}))
    near, patch = _nearest(wish, allowed, path)
    message = f"no tool, pattern or tag {wish[:100]!r} grants anything"
    return Problem(code="UNKNOWN_TOOL", path=path, message=message, allowed=allowed, suggestion=near, patch=patch)


def _check_call(call: str, place: str, name: str, catalog: Catalog) -> Iterator[Problem]:
    callee, path = name_in(call), place + "/orchestration"
    if catalog.calls(call, name):
        message = f"{callee!r} calls {name!r}, itself or through others, so this would never end"
        if callee == name:
            message = "an orchestration that calls itself would never end; repeat steps with a loop"
        yield Problem(code="CALL_CYCLE", path=path, message=message)
    elif callee not in catalog.orchestrations:
        allowed = nearby(callee, sorted(call for call in catalog.orchestrations if call == name_in(call)))
        near, patch = _nearest(callee, allowed, path)
        message = f"there is no orchestration {callee!r} with an active version"
        yield Problem(
            code="UNKNOWN_ORCHESTRATION", path=path, message=message, allowed=allowed, suggestion=near, patch=patch
        )
    elif call not in catalog.orchestrations:
        path = place + "/version"
        message = f"{callee!r} has no such published version; left out, the active one is called"
        patch = (Remove(path=path),)
        yield Problem(code="UNKNOWN_ORCHESTRATION", path=path, message=message, patch=patch)


def _nearest(name: str, allowed: tuple[str, ...], path: str) -> tuple[str | None, tuple[Operation, ...]]:
    """The name that looks most like this one, and the patch that puts it there."""
    near = suggestion(name, allowed)
    return near, (Replace(path=path, value=near),) if near in allowed else ()

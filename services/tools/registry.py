"""The tools of this process, and which of them a role may call."""

from collections.abc import Iterable

from services.definitions.catalog import is_called
from services.definitions.structure import pointer
from services.expressions.errors import suggestion
from services.problem import Problem
from services.tools.tool import Tool

_tools: dict[str, Tool] = {}
# Those of them that come from sources, which come and go while the process runs.
_sourced: set[str] = set()


def register(*tools: Tool) -> None:
    """Make tools known to this process, before it serves or works. A later one takes the place of its namesake."""
    _tools.update({tool.name: tool for tool in tools})


def use_sourced(*tools: Tool) -> list[str]:
    """Let these be the tools from sources, in the place of those until now; the names that others have already, which
    stay theirs.
    """
    for name in _sourced:
        _tools.pop(name, None)
    taken = sorted(tool.name for tool in tools if tool.name in _tools)
    found = {tool.name: tool for tool in tools if tool.name not in _tools}
    _tools.update(found)
    _sourced.clear()
    _sourced.update(found)
    return taken


def not_sourced() -> frozenset[str]:
    """The names of the tools that do not come from sources."""
    return frozenset(_tools).difference(_sourced)


def granted(names: Iterable[str]) -> dict[str, Tool]:
    """The tools that a role with these names, patterns (`files.*`) and tags (`meta`) may call, by name.

    A tool that carries a tag is reached by its tag alone: `system.*` does not grant what only `meta` does.
    """
    wanted = tuple(names)
    return {name: tool for name, tool in sorted(_tools.items()) if any(_is_granted(tool, wish) for wish in wanted)}


def reaches(wish: str, name: str) -> bool:
    """Whether a role with this name, pattern or tag may call the tool `name`; also one that is not known here.

    >>> reaches("files.*", "files.gone"), reaches("meta", "files.gone")
    (True, False)
    """
    tool = _tools.get(name)
    return is_called(name, wish) if tool is None else _is_granted(tool, wish)


def for_steps() -> dict[str, Tool]:
    """The tools that a tool step may call: those without a tag."""
    return {name: tool for name, tool in sorted(_tools.items()) if not tool.tags}


def for_step(name: str) -> Tool | None:
    """The tool of that name, when a tool step may call it."""
    tool = _tools.get(name)
    return None if tool is None or tool.tags else tool


def by_tag() -> dict[str, frozenset[str]]:
    """The names of the tools that only a tag grants, by tag."""
    return {tag: frozenset(name for name, tool in _tools.items() if tag in tool.tags) for tag in _tags()}


def everything() -> dict[str, Tool]:
    """All tools by name, whoever may call them."""
    return dict(sorted(_tools.items()))


def find(name: str) -> Tool | None:
    """The tool of that name, whoever may call it."""
    return _tools.get(name)


def problems_of_names(names: Iterable[str], path: str) -> list[Problem]:
    """Which of a role's tool names grant nothing."""
    idle = {index: name for index, name in enumerate(names) if not _grants(name)}
    known = sorted({name for name, tool in _tools.items() if not tool.tags} | _tags()) if idle else []
    return [
        Problem(
            code="UNKNOWN_TOOL",
            path=path + pointer(index),
            message=f"no tool, pattern or tag {name[:100]!r} grants anything",
            allowed=tuple(known),
            suggestion=suggestion(name[:100], known),
        )
        for index, name in idle.items()
    ]


def _grants(wish: str) -> bool:
    return any(_is_granted(tool, wish) for tool in _tools.values())


def _tags() -> set[str]:
    return {tag for tool in _tools.values() for tag in tool.tags}


def _is_granted(tool: Tool, wish: str) -> bool:
    return wish in tool.tags if tool.tags else is_called(tool.name, wish)

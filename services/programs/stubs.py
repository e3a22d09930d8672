"""Tools as functions of Python: in which module, by which name, and what a type checker is told of them."""

import builtins
import keyword
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.json import JsonObject
from services.programs.annotations import Annotations
from services.tools.tool import Tool

# The module of tools whose name has no dot.
BARE = "tools"

_HEAD = "from typing import Any, Literal"
_MAX_DESCRIPTION = 200
# A module of one of these names would hide something that programs use.
_TAKEN = frozenset({*sys.stdlib_module_names, *dir(builtins), *keyword.kwlist, *keyword.softkwlist, "input"})
# A function of one of these names would hide what the annotations of its neighbours mean.
_ANNOTATING = frozenset({*keyword.kwlist, "Any", "Literal", "bool", "dict", "float", "int", "list", "str"})


@dataclass(frozen=True, slots=True)
class Function:
    """A tool as a program calls it: `await module.name(parameter=…)`.

    `arguments` leads from the names of parameters to those of the tool's arguments, where these are others.
    """

    tool: str
    module: str
    name: str
    arguments: Mapping[str, str]
    signature: str
    description: str

    @property
    def stub(self) -> str:
        """What a type checker reads of it."""
        return f"async def {self.name}{self.signature}: ..."


@dataclass(frozen=True, slots=True)
class Library:
    """The tools that a program may call, by how it calls them: `module.name`."""

    functions: Mapping[str, Function]

    @property
    def modules(self) -> dict[str, list[Function]]:
        """The functions of each module, in their order."""
        modules: dict[str, list[Function]] = {}
        for function in self.functions.values():
            modules.setdefault(function.module, []).append(function)
        return modules

    def stub(self, module: str) -> str:
        """The module as a `.pyi` file."""
        return "\n".join([_HEAD, *(function.stub for function in self.modules[module])]) + "\n"


def library(tools: Iterable[Tool]) -> Library:
    """The tools as functions, in the order of their names.

    `files.read` is `read` in the module `files`, `count` is `count` in the module `tools`; where a name is none in
    Python, or means something else there, it has an underscore in that place or behind it.
    """
    functions: dict[str, Function] = {}
    for tool in sorted(tools, key=lambda tool: tool.name):
        above, _, last = tool.name.rpartition(".")
        module = _free(_identifier(above) or BARE, _TAKEN)
        name = _free(_identifier(last) or "call", _ANNOTATING | _names_in(functions, module))
        functions[f"{module}.{name}"] = _function(tool, module, name)
    return Library(functions)


def listing(library: Library, max_characters: int) -> str:
    """The functions as a model reads them: with their descriptions as far as there is room, then by their names."""
    for describe in (True, False):
        text = "\n".join(_lines(library, describe=describe))
        if len(text) <= max_characters:
            return text
    names = ", ".join(library.functions)
    return names if len(names) <= max_characters else names[: max_characters - 2].rpartition(",")[0] + ", …"


def _lines(library: Library, *, describe: bool) -> Iterable[str]:
    for module, functions in library.modules.items():
        for function in functions:
            yield f"async def {module}.{function.name}{function.signature}"
            if describe and function.description:
                yield f"    # {function.description}"


def _function(tool: Tool, module: str, name: str) -> Function:
    schema = tool.input_schema
    arguments, signature = _parameters(schema)
    return Function(
        tool=tool.name,
        module=module,
        name=name,
        arguments=arguments,
        signature=f"({signature}) -> Any",
        description=_short(tool.description),
    )


def _parameters(schema: JsonObject) -> tuple[dict[str, str], str]:
    """The arguments by their parameters' names, where these are others, and the parameters with their types."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return {}, "" if schema.get("additionalProperties") is False else "**arguments: Any"
    annotations = Annotations(schema)
    required = schema.get("required")
    known: dict[str, str] = {}
    parameters: list[str] = []
    for argument, part in properties.items():
        name = _free(_identifier(argument) or "argument", frozenset({*keyword.kwlist, *known}))
        known[name] = argument
        default = "" if isinstance(required, list) and argument in required else f" = {_default(part)}"
        parameters.append(f"{name}: {annotations.of(part)}{default}")
    others = {name: argument for name, argument in known.items() if name != argument}
    return others, "*, " + ", ".join(parameters)


def _default(part: object) -> str:
    default = part.get("default", ...) if isinstance(part, dict) else ...
    is_short = default is None or (isinstance(default, bool | int | float | str) and len(str(default)) <= 40)
    return repr(default) if is_short else "..."


def _identifier(text: str) -> str:
    """The text as a name of Python: what cannot stand in one is an underscore; empty where nothing is left.

    >>> _identifier("list-issues"), _identifier("2nd.try"), _identifier("_"), _identifier("größe")
    ('list_issues', 'n2nd_try', '', 'gr__e')
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", text).lstrip("_")
    return f"n{name}" if name[:1].isdigit() else name


def _free(name: str, taken: frozenset[str]) -> str:
    """The name, with as many underscores behind it as it takes to be none of those that are taken."""
    while name in taken:
        name += "_"
    return name


def _names_in(functions: Mapping[str, Function], module: str) -> frozenset[str]:
    return frozenset(function.name for function in functions.values() if function.module == module)


def _short(description: str) -> str:
    line = " ".join(description.split())
    return line if len(line) <= _MAX_DESCRIPTION else line[: _MAX_DESCRIPTION - 1] + "…"

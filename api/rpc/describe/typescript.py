"""The `AppRouter` type of a router, as a TypeScript module that holds nothing but types."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect as shapes

from api.rpc.describe.typescript_schema import declarations
from api.rpc.describe.typescript_types import TAKEN, Types, Use, comment, key
from api.rpc.problems import Problem
from api.rpc.procedure import Kind, Procedure
from api.rpc.router import Router
from api.rpc.uploads import Form, Octets


@dataclass(frozen=True, kw_only=True)
class Described:
    """A procedure of a family: what it takes and answers is known by JSON Schemas, None where there is no telling.

    `name` is the whole dotted name. A call without an input is refused if it `needs_input`.
    """

    name: str
    kind: Kind
    description: str
    input_schema: Any = None
    output_schema: Any = None
    needs_input: bool = True


@dataclass(frozen=True)
class Member:
    """A line of the router: its comment and its type."""

    description: str
    signature: str


Tree: TypeAlias = "dict[str, Member | Tree]"

_UPLOADS: Mapping[Any, str] = {Form: "FormData", Octets: "Blob | Uint8Array<ArrayBuffer>"}
_WORDS: Mapping[Kind, str] = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}

_HEADER = """\
// Generated from the procedures; do not edit.
// Types only: `import type { AppRouter }` and hand it to `createTRPCClient<AppRouter>()`.
import type {
  TRPCBuiltRouter,
  TRPCDefaultErrorData,
  TRPCErrorShape,
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from "@trpc/server";

export type Query<I, O> = TRPCQueryProcedure<{ input: I; output: O; meta: object }>;
export type Mutation<I, O> = TRPCMutationProcedure<{ input: I; output: O; meta: object }>;
export type Subscription<I, T> = TRPCSubscriptionProcedure<{ input: I; output: Stream<T>; meta: object }>;

/** What comes item by item. */
export type Stream<T> = AsyncIterable<T, void, any>;

/** An item, and what to give as `lastEventId` to go on behind it. */
export type Tracked<T> = { id: string; data: T };

/** Whatever JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
"""

_ERROR_DATA = """\
/** What `error.data` holds: `problems` for a refused input, `suggestion` for an unknown procedure. */
export type ErrorData = TRPCDefaultErrorData & {
  problems?: %s[] | undefined;
  suggestion?: string | undefined;
  requestId?: string | undefined;
}%s;
"""

_APP_ROUTER = """\
export type AppRouter = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: TRPCErrorShape<ErrorData>; transformer: false },
  %s
>;
"""


def typescript(
    router: Router, described: Sequence[Described] = (), *, error_data: type[msgspec.Struct] | None = None
) -> str:
    """The text of `router.ts`. It is the same for the same router.

    `described` are the members of its families that there are. `error_data` has what the application adds to the `data`
    of its errors.

    Raises:
        TypeError: a type has no counterpart in JSON.
    """
    outputs = _shapes(router, inputs=False)
    more = None if error_data is None else shapes.type_info(error_data)
    types = Types(_shapes(router, inputs=True), [*outputs, *(() if more is None else _of_fields(more))])
    problem = types.inline(shapes.type_info(Problem), "output")
    names = _Names(types.names)
    members = {name: Member(procedure.description, _signature(procedure, types)) for name, procedure in router}
    declared: list[str] = []
    for each in described:
        written, signature = _described(each, names)
        declared += written
        members[each.name] = Member(each.description, signature)
    parts = [
        _HEADER,
        *types.aliases(),
        *declared,
        _ERROR_DATA % (problem, "" if more is None else f" & {types.inline(more, 'output')}"),
        _APP_ROUTER % _record(_tree(members), "  "),
    ]
    return "\n".join(parts)


class _Names:
    """The names of a module's types: each is given away once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*TAKEN, *taken}

    def unique(self, name: str) -> str:
        """`name`, with a number behind it when it is taken."""
        number, free = 1, name
        while free in self._taken:
            number += 1
            free = f"{name}{number}"
        self._taken.add(free)
        return free


def _shapes(router: Router, *, inputs: bool) -> list[shapes.Type]:
    procedures = [procedure for _, procedure in router]
    if inputs:
        return [shapes.type_info(procedure.input_type) for procedure in procedures if procedure.input_type]
    return [shapes.type_info(output) for procedure in procedures for output in _outputs(procedure)]


def _outputs(procedure: Procedure[..., Any]) -> list[Any]:
    """The types of what a procedure answers, or yields."""
    outputs = (procedure.output_type, procedure.untracked_type)
    return [output for output in outputs if output is not None and output is not msgspec.UnsetType]


def _of_fields(shape: shapes.Type) -> list[shapes.Type]:
    assert isinstance(shape, shapes.StructType), "what is added to errors are fields"
    return [field.type for field in shape.fields]


def _tree(members: Mapping[str, Member]) -> Tree:
    root: Tree = {}
    for name, member in members.items():
        *parents, last = name.split(".")
        node = root
        for parent in parents:
            below = node.setdefault(parent, {})
            assert isinstance(below, dict), "a router refuses a name that is also a prefix"
            node = below
        node[last] = member
    return root


def _record(tree: Tree, indent: str) -> str:
    lines: list[str] = []
    for name, member in tree.items():
        if isinstance(member, Member):
            lines += comment(member.description, indent + "  ")
            lines.append(f"{indent}  {key(name)}: {member.signature};")
        else:
            lines.append(f"{indent}  {key(name)}: {_record(member, indent + '  ')};")
    return "\n".join(["{", *lines, indent + "}"])


def _signature(procedure: Procedure[..., Any], types: Types) -> str:
    output = _output(procedure, types)
    if procedure.streams and procedure.kind != "subscription":
        output = f"Stream<{output}>"
    return f"{_WORDS[procedure.kind]}<{_input(procedure, types)}, {output}>"


def _input(procedure: Procedure[..., Any], types: Types) -> str:
    if procedure.upload is not None:
        return _UPLOADS[procedure.upload.type]
    if procedure.input_type is None:
        return "void"
    written = types.inline(shapes.type_info(procedure.input_type), "input")
    return written if procedure.needs_input else f"{written} | undefined"


def _output(procedure: Procedure[..., Any], types: Types) -> str:
    # tRPC's own serialisation type turns `void` into `never`.
    if procedure.output_type is msgspec.UnsetType:
        return "undefined"
    written = types.expression(shapes.type_info(procedure.output_type), "output")
    if procedure.is_tracked:
        written = f"Tracked<{written}>"
    if procedure.untracked_type is not None:
        written += f" | {types.expression(shapes.type_info(procedure.untracked_type), 'output')}"
    return written


def _described(each: Described, names: _Names) -> tuple[list[str], str]:
    """The aliases that a described procedure needs, and its signature."""
    own = "".join(part[:1].upper() + part[1:] for part in each.name.split("."))
    declared: list[str] = []
    written: dict[Use, str] = {}
    uses: tuple[tuple[Use, Any], ...] = (("input", each.input_schema), ("output", each.output_schema))
    for use, schema in uses:
        if schema is None or schema is True or schema == {}:
            written[use] = "Json"
        else:
            written[use] = names.unique(own + use.capitalize())
            declared += declarations(written[use], schema, use, names.unique)
    input = written["input"] if each.needs_input else f"{written['input']} | undefined"
    return declared, f"{_WORDS[each.kind]}<{input}, {written['output']}>"

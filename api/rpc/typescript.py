"""The `AppRouter` type of a router, as a TypeScript module that holds nothing but types."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect as shapes

from api.rpc.problems import Problem
from api.rpc.procedure import Procedure
from api.rpc.router import Router
from api.rpc.typescript_types import Types, comment, key
from api.rpc.uploads import Form

Tree: TypeAlias = "dict[str, Procedure[..., Any] | Tree]"

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
export type Subscription<I, Y> = TRPCSubscriptionProcedure<{
  input: I;
  output: AsyncIterable<Y, void, any>;
  meta: object;
}>;

/** An item that a client can go on behind after an interruption. */
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
};
"""

_APP_ROUTER = """\
export type AppRouter = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: TRPCErrorShape<ErrorData>; transformer: false },
  %s
>;
"""


def typescript(router: Router) -> str:
    """The text of `router.ts`. It is the same for the same router.

    Raises:
        TypeError: a type has no counterpart in JSON.
    """
    types = Types(_shapes(router, inputs=True), _shapes(router, inputs=False))
    problem = types.inline(shapes.type_info(Problem), "output")
    parts = [
        _HEADER,
        *types.aliases(),
        _ERROR_DATA % problem,
        _APP_ROUTER % _record(_tree(router), types, "  "),
    ]
    return "\n".join(parts)


def _shapes(router: Router, *, inputs: bool) -> list[shapes.Type]:
    procedures = [procedure for _, procedure in router]
    if inputs:
        return [shapes.type_info(procedure.input_type) for procedure in procedures if procedure.input_type]
    outputs = (procedure.item_type for procedure in procedures)
    return [shapes.type_info(output) for output in outputs if output is not msgspec.UnsetType]


def _tree(router: Router) -> Tree:
    root: Tree = {}
    for name, procedure in router:
        *parents, last = name.split(".")
        node = root
        for parent in parents:
            below = node.setdefault(parent, {})
            assert isinstance(below, dict), "a router refuses a name that is also a prefix"
            node = below
        node[last] = procedure
    return root


def _record(tree: Mapping[str, "Procedure[..., Any] | Tree"], types: Types, indent: str) -> str:
    lines: list[str] = []
    for name, member in tree.items():
        if isinstance(member, Procedure):
            lines += comment(member.description, indent + "  ")
            lines.append(f"{indent}  {key(name)}: {_signature(member, types)};")
        else:
            lines.append(f"{indent}  {key(name)}: {_record(member, types, indent + '  ')};")
    return "\n".join(["{", *lines, indent + "}"])


def _signature(procedure: Procedure[..., Any], types: Types) -> str:
    output = _output(procedure, types)
    if procedure.streams and procedure.kind != "subscription":
        output = f"AsyncIterable<{output}, void, any>"
    return f"{procedure.kind.capitalize()}<{_input(procedure, types)}, {output}>"


def _input(procedure: Procedure[..., Any], types: Types) -> str:
    if procedure.upload is not None:
        return "FormData" if procedure.upload.type is Form else "Blob | Uint8Array<ArrayBuffer>"
    if procedure.input_type is None:
        return "void"
    written = types.inline(shapes.type_info(procedure.input_type), "input")
    return written if procedure.needs_input else f"{written} | undefined"


def _output(procedure: Procedure[..., Any], types: Types) -> str:
    # tRPC's own serialisation type turns `void` into `never`.
    if procedure.output_type is msgspec.UnsetType:
        return "undefined"
    output = types.expression(shapes.type_info(procedure.output_type), "output")
    if not procedure.is_tracked:
        return output
    if procedure.untracked_type is None:
        return f"Tracked<{output}>"
    return f"Tracked<{output}> | {types.expression(shapes.type_info(procedure.untracked_type), 'output')}"

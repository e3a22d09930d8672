"""TypeScript programs over the toy router's types: one that must compile, and many that must not."""

POSITIVE = """\
import { createTRPCClient, httpBatchLink, httpLink, TRPCClientError } from "@trpc/client";
import type { AppRouter, Box, BoxInput, Circle, Json, Point, Receipt } from "./router.ts";

const client = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: "/trpc", methodOverride: "POST" })] });
export const other = createTRPCClient<AppRouter>({ links: [httpLink({ url: "/trpc" })] });

export async function use(): Promise<void> {
  const health: { [key: string]: boolean } = await client.health.query();
  const pong: string = await client.ping.mutate();
  const greeting: string = await client.greet.query();
  await client.greet.query(undefined);
  await client.greet.query({ from: "me", name: null });

  const circle: Circle = { kind: "circle", radius: 1 };
  const box: BoxInput = { name: "b", colour: "red", holds: [circle, null, { kind: "polygon", cornerCount: 3 }] };
  const receipt: Receipt = await client.box.pack.mutate({ box: { ...box, inside: box }, size: "m" });
  const held: Box | null = receipt.box.inside;
  const made: string = receipt.madeAt;
  const price: string = receipt.price;
  const remark: string | undefined = receipt.remark;
  for (const thing of receipt.box.holds) {
    if (thing !== null && thing.kind === "polygon") thing.corners.map(([x, y]) => x + y);
  }

  const page: Receipt[] = (await client.box.page.query()).items;
  const points: (Point | null)[] = await client.points.query({ scale: 2 });
  const anything: Json = await client.anything.query({ value: { a: [1, null, { b: true }] } });
  const nothing: null = await client.nothing.query();
  const missing: undefined = await client.undefined.query();
  console.log(health, pong, greeting, held, made, price, remark, page, points, anything, nothing, missing);
}

export function explain(error: unknown): string {
  if (!(error instanceof TRPCClientError)) return "";
  const known: TRPCClientError<AppRouter> = error;
  const [problem] = known.data?.problems ?? [];
  const suggestion: string | null | undefined = problem?.suggestion ?? known.data?.suggestion;
  return `${known.data?.code} ${known.data?.httpStatus} ${problem?.path} ${problem?.allowed?.join()} ${suggestion}`;
}
"""

_OPENING = """\
import { createTRPCClient, httpLink } from "@trpc/client";
import type { AppRouter, BoxInput } from "./router.ts";

export const box: BoxInput = { name: "b" };
export const client = createTRPCClient<AppRouter>({ links: [httpLink({ url: "/trpc" })] });
"""

# What is wrong, and the one statement that says it.
NEGATIVE = {
    "missing_input": "await client.echo.query();",
    "wrong_input": "await client.echo.query({ text: 1 });",
    "excess_input": 'await client.echo.query({ text: "x", more: 1 });',
    "snake_case_input": "await client.greet.query({ loud_voice: true });",
    "null_for_optional_input": "await client.greet.query(null);",
    "null_for_optional_field": "await client.greet.query({ from: null });",
    "input_where_none": "await client.health.query({});",
    "unknown_procedure": "await client.helth.query();",
    "unknown_nested_procedure": "await client.box.unpack.query();",
    "router_as_procedure": "await client.box.query();",
    "mutation_as_query": "await client.ping.query();",
    "query_as_mutation": "await client.health.mutate();",
    "wrong_literal": 'await client.box.pack.mutate({ box, size: "xl" });',
    "wrong_enumeration": 'await client.box.pack.mutate({ box: { name: "b", colour: "blue" } });',
    "wrong_tag": 'await client.box.pack.mutate({ box: { name: "b", holds: [{ kind: "square" }] } });',
    "field_of_another_tag": (
        'await client.box.pack.mutate({ box: { name: "b", holds: [{ kind: "circle", radius: 1, cornerCount: 3 }] } });'
    ),
    "missing_nested_field": 'await client.box.pack.mutate({ box: { colour: "red" } });',
    "excess_nested_field": 'await client.box.pack.mutate({ box: { name: "b", weight: 1 } });',
    "date_for_string": "const made: Date = (await client.box.pack.mutate({ box })).madeAt; console.log(made);",
    "string_as_number": "(await client.box.pack.mutate({ box })).price.toFixed();",
    "unknown_output_field": "(await client.box.pack.mutate({ box })).weight;",
    "nullable_output": "(await client.box.pack.mutate({ box })).box.inside.name;",
    "absent_output": "(await client.box.pack.mutate({ box })).remark.length;",
    "unnarrowed_union": "(await client.box.pack.mutate({ box })).box.holds[0].radius;",
    "tuple_out_of_bounds": "(await client.points.query({ scale: 1 }))[0]?.[2];",
    "json_unnarrowed": "(await client.anything.query({ value: 1 })).length;",
    "function_as_json": "await client.anything.query({ value: () => 1 });",
    "transformer_where_none": (
        'createTRPCClient<AppRouter>({ links: [httpLink({ url: "/trpc", transformer: '
        "{ serialize: (x: unknown) => x, deserialize: (x: unknown) => x } })] });"
    ),
}


def negative(statement: str) -> str:
    """A program in which only `statement` is wrong."""
    return f"{_OPENING}\n{statement}\n"


def negative_line() -> int:
    """The line of the statement in `negative`."""
    return _OPENING.count("\n") + 2

"""TypeScript programs over the types of two routers: for each one that must compile, and many that must not."""

from typing import NamedTuple


class Wrong(NamedTuple):
    """A statement that must not compile, and the code of the objection: one of several, where versions differ."""

    statement: str
    code: str


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
    "missing_input": Wrong("await client.echo.query();", "TS2554"),
    "wrong_input": Wrong("await client.echo.query({ text: 1 });", "TS2322"),
    "excess_input": Wrong('await client.echo.query({ text: "x", more: 1 });', "TS2353"),
    "snake_case_input": Wrong("await client.greet.query({ loud_voice: true });", "TS2561"),
    "null_for_optional_input": Wrong("await client.greet.query(null);", "TS2345"),
    "null_for_optional_field": Wrong("await client.greet.query({ from: null });", "TS2322"),
    "input_where_none": Wrong("await client.health.query({});", "TS2345"),
    "unknown_procedure": Wrong("await client.helth.query();", "TS2551"),
    "unknown_nested_procedure": Wrong("await client.box.unpack.query();", "TS2551"),
    "router_as_procedure": Wrong("await client.box.query();", "TS2339"),
    "mutation_as_query": Wrong("await client.ping.query();", "TS2339"),
    "query_as_mutation": Wrong("await client.health.mutate();", "TS2339"),
    "query_as_subscription": Wrong("client.health.subscribe(undefined, {});", "TS2339"),
    "wrong_literal": Wrong('await client.box.pack.mutate({ box, size: "xl" });', "TS2322"),
    "wrong_enumeration": Wrong(
        'await client.box.pack.mutate({ box: { name: "b", colour: "blue" } });',
        "TS2322",
    ),
    "wrong_tag": Wrong(
        'await client.box.pack.mutate({ box: { name: "b", holds: [{ kind: "square" }] } });',
        "TS2322",
    ),
    "field_of_another_tag": Wrong(
        'await client.box.pack.mutate({ box: { name: "b", holds: [{ kind: "circle", radius: 1, cornerCount: 3 }] } });',
        "TS2353",
    ),
    "missing_nested_field": Wrong('await client.box.pack.mutate({ box: { colour: "red" } });', "TS2741"),
    "excess_nested_field": Wrong('await client.box.pack.mutate({ box: { name: "b", weight: 1 } });', "TS2353"),
    "wrong_deep_in_a_recursive_type": Wrong(
        'await client.box.pack.mutate({ box: { name: "b", inside: { name: "c", inside: { name: 1 } } } });',
        "TS2322",
    ),
    "date_for_string": Wrong(
        "const made: Date = (await client.box.pack.mutate({ box })).madeAt; console.log(made);",
        "TS2322",
    ),
    "date_method_on_string": Wrong("(await client.box.pack.mutate({ box })).madeAt.getTime();", "TS2339"),
    "string_as_number": Wrong("(await client.box.pack.mutate({ box })).price.toFixed();", "TS2551"),
    "unknown_output_field": Wrong("(await client.box.pack.mutate({ box })).weight;", "TS2339"),
    "nullable_output": Wrong("(await client.box.pack.mutate({ box })).box.inside.name;", "TS2531"),
    "absent_output": Wrong("(await client.box.pack.mutate({ box })).remark.length;", "TS2532"),
    "unnarrowed_union": Wrong("(await client.box.pack.mutate({ box })).box.holds[0].radius;", "TS2531"),
    "tuple_out_of_bounds": Wrong("(await client.points.query({ scale: 1 }))[0]?.[2];", "TS2493"),
    "json_unnarrowed": Wrong("(await client.anything.query({ value: 1 })).length;", "TS2531"),
    "function_as_json": Wrong("await client.anything.query({ value: () => 1 });", "TS2322"),
    "transformer_where_none": Wrong(
        'createTRPCClient<AppRouter>({ links: [httpLink({ url: "/trpc", transformer: '
        "{ serialize: (x: unknown) => x, deserialize: (x: unknown) => x } })] });",
        "TS2322",
    ),
}


def negative(statement: str) -> str:
    """A program over the toy router in which only `statement` is wrong."""
    return f"{_OPENING}\n{statement}\n"


def negative_line() -> int:
    """The line of the statement in `negative`."""
    return _OPENING.count("\n") + 2


POSITIVE_LIVE = """\
import { createTRPCClient, httpBatchStreamLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import type { AppRouter, Json, RunRenderOutput, Tick, Tracked } from "./live.ts";

export const client = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: httpSubscriptionLink({ url: "/trpc" }),
      false: httpBatchStreamLink({ url: "/trpc" }),
    }),
  ],
});

export function watch(): () => void {
  const plain = client.live.ticks.subscribe(
    { count: 2 },
    { onData: (tick) => console.log((tick satisfies Tick).tick + 1), onError: (error) => alert(error.data?.code) },
  );
  const tracked = client.live.tracked.subscribe(
    { count: 2, lastEventId: "1" },
    { onData: (item) => console.log((item satisfies Tracked<Tick>).id, item.data.tick + 1), onComplete: () => {} },
  );
  client.live.tracked.subscribe({ count: 2 }, {});
  client.live.news.subscribe(undefined, { onData: (text: string) => console.log(text) });
  client.live.mixed.subscribe(undefined, {
    onData: (item) => console.log(typeof item === "string" ? item.length : item === null ? 0 : item.data.tick),
  });
  return () => [plain, tracked].forEach((each) => each.unsubscribe());
}

export async function read(signal: AbortSignal): Promise<void> {
  for await (const tick of await client.live.counted.query({ count: 2 }, { signal })) console.log(tick.tick + 1);
  for await (const text of await client.live.told.mutate()) console.log(text.length);
}

export async function send(file: File): Promise<void> {
  const form = new FormData();
  form.set("file", file);
  const text: string = await client.form.mutate(form);
  const sizes: number[] = [await client.octets.mutate(file), await client.octets.mutate(new Uint8Array([1, 2]))];
  console.log(text, sizes);
}

export async function run(): Promise<Json> {
  const { pages, made }: RunRenderOutput = await client.run.render.mutate({ topic: "ink", colours: ["red", null] });
  const first: string | undefined = pages[0]?.text;
  const at: string = made;
  const open: Json = await client.run.anything.mutate();
  await client.run.anything.mutate({ a: [1] });
  console.log(first, at);
  return open;
}
"""

_OPENING_LIVE = """\
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import type { AppRouter, Tick } from "./live.ts";

export const client = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: "/trpc" })] });
export let tick: Tick = { tick: 1 };
"""

NEGATIVE_LIVE = {
    "subscription_as_query": Wrong("await client.live.ticks.query({ count: 1 });", "TS2339"),
    "subscription_without_input": Wrong("client.live.ticks.subscribe(undefined, {});", "TS2345 TS2769"),
    "subscription_with_wrong_input": Wrong('client.live.ticks.subscribe({ count: "1" }, {});', "TS2322 TS2769"),
    "subscription_with_unknown_handler": Wrong(
        "client.live.ticks.subscribe({ count: 1 }, { onDatum: (tick) => tick });", "TS2353 TS2561 TS2769"
    ),
    "tracked_as_its_data": Wrong(
        "client.live.tracked.subscribe({ count: 1 }, { onData: (item) => { tick = item; } });",
        "TS2741",
    ),
    "field_of_tracked_data": Wrong(
        "client.live.tracked.subscribe({ count: 1 }, { onData: (item) => item.tick });",
        "TS2339",
    ),
    "untracked_as_tracked": Wrong(
        "client.live.ticks.subscribe({ count: 1 }, { onData: (item) => item.data });",
        "TS2339",
    ),
    "last_event_id_as_number": Wrong(
        "client.live.tracked.subscribe({ count: 1, lastEventId: 1 }, {});", "TS2322 TS2769"
    ),
    "last_event_id_where_none": Wrong(
        'client.live.ticks.subscribe({ count: 1, lastEventId: "1" }, {});', "TS2353 TS2769"
    ),
    "stream_as_its_item": Wrong("tick = await client.live.counted.query({ count: 1 });", "TS2741"),
    "stream_as_array": Wrong("(await client.live.counted.query({ count: 1 })).map(String);", "TS2339"),
    "stream_read_without_await": Wrong("for (const item of await client.live.told.mutate()) item;", "TS2488"),
    "untracked_among_tracked": Wrong(
        "client.live.mixed.subscribe(undefined, { onData: (item) => item.data });", "TS18047 TS2531 TS2339"
    ),
    "object_for_a_form": Wrong('await client.form.mutate({ file: "a" });', "TS2345 TS2353"),
    "text_for_bytes": Wrong('await client.octets.mutate("a");', "TS2345"),
    "form_for_bytes": Wrong("await client.octets.mutate(new FormData());", "TS2345"),
    "run_without_input": Wrong("await client.run.render.mutate();", "TS2554"),
    "run_with_missing_input": Wrong("await client.run.render.mutate({});", "TS2345 TS2741"),
    "run_with_wrong_input": Wrong("await client.run.render.mutate({ topic: 1 });", "TS2322"),
    "run_with_excess_input": Wrong('await client.run.render.mutate({ topic: "a", more: 1 });', "TS2353"),
    "run_with_wrong_item": Wrong('await client.run.render.mutate({ topic: "a", colours: ["blue"] });', "TS2322"),
    "run_as_query": Wrong('await client.run.render.query({ topic: "a" });', "TS2339"),
    "unknown_run": Wrong("await client.run.rendr.mutate({});", "TS2551"),
    "run_output_misused": Wrong('(await client.run.render.mutate({ topic: "a" })).pages.text;', "TS2339"),
    "run_date_for_string": Wrong('(await client.run.render.mutate({ topic: "a" })).made.getTime();', "TS2339"),
    "run_json_unnarrowed": Wrong("(await client.run.anything.mutate()).length;", "TS2531"),
}


def negative_live(statement: str) -> str:
    """A program over the router that streams, in which only `statement` is wrong."""
    return f"{_OPENING_LIVE}\n{statement}\n"


def negative_live_line() -> int:
    """The line of the statement in `negative_live`."""
    return _OPENING_LIVE.count("\n") + 2

// What the real client makes of our streams, forms and bytes; prints one JSON object, checked by test_streams_client.py.
import { EventSource } from 'eventsource';

const { TRPC_URL: base, CLIENT: name } = process.env;
const {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  isNonJsonSerializable,
  loggerLink,
  retryLink,
  splitLink,
  TRPCClientError,
} = await import(name);

const url = `${base}/trpc`;
const results = {};

function told(error) {
  if (!(error instanceof TRPCClientError)) return { foreign: String(error) };
  return { message: error.message, code: error.shape?.code, data: error.data };
}

const client = (...links) => createTRPCClient({ links });

async function all(iterable) {
  const items = [];
  try {
    for await (const item of iterable) items.push(item === undefined ? 'undefined' : item);
  } catch (error) {
    items.push({ thrown: told(error) });
  }
  return items;
}

// --- httpBatchStreamLink

async function streamed(options, methodOverride) {
  const requests = [];
  const fetching = (input, init) => {
    requests.push(`${init.method} ${new URL(input).pathname}`);
    return fetch(input, init);
  };
  const calls = client(httpBatchStreamLink({ url, fetch: fetching, methodOverride, ...options }));
  const order = [];
  const name = `${process.env.CLIENT} ${JSON.stringify(options)} ${methodOverride}`;
  const [health, failed, unknown, numbers, slow] = await Promise.all([
    calls.health.query(),
    calls.fail.query().catch(told),
    calls.nope.query().catch(told),
    calls.counted.query({ to: 3 }).then(all),
    calls.gated.query({ name }).then((text) => (order.push('gated'), text)),
    calls.echo.query({ text: 'ü' }).then(({ text }) => {
      order.push(text);
      return fetch(`${base}/open/${encodeURIComponent(name)}`);
    }),
  ]);
  const mutated = await calls.counting.mutate({ to: 2 }).then(all);
  const thrown = await calls.counting.mutate({ to: 1, fails: true }).then(all);
  const pong = await calls.ping.mutate();
  return { health, failed, unknown, numbers, slow: slow === name, mutated, thrown, pong, order, requests };
}

// --- httpSubscriptionLink

function watching(calls, procedure, input, options = {}) {
  const seen = [];
  return new Promise((resolve) => {
    const subscription = calls[procedure].subscribe(input, {
      onStarted: () => seen.push('started'),
      onData: (data) => {
        seen.push(data === undefined ? 'undefined' : data);
        if (options.until?.(data, seen)) {
          subscription.unsubscribe();
          resolve(seen);
        }
      },
      onError: (error) => (seen.push({ error: told(error) }), resolve(seen)),
      onComplete: () => (seen.push('complete'), resolve(seen)),
      onConnectionStateChange: (state) => options.states?.push(state.state),
    });
  });
}

const events = (where, options) => httpSubscriptionLink({ url: `${base}/${where}`, EventSource, ...options });

async function subscribed() {
  const calls = client(events('trpc'));
  const quick = client(events('quick'));
  const brief = client(events('brief'));
  const states = [];
  // The server breaks off after a moment each time, and the client goes on behind what it has.
  const cut = await watching(brief, 'ticking', { count: 12 }, { until: (item) => item.id === '12' });
  return {
    ticks: await watching(calls, 'ticks', { count: 2 }),
    mixed: await watching(calls, 'mixed', undefined),
    plain: await watching(calls, 'plain', undefined),
    refused: await watching(calls, 'refused', { items: 2 }),
    invalid: await watching(calls, 'ticks', { count: 'x' }),
    guest: await watching(client(events('trpc', { connectionParams: { user: 'Ada' } })), 'whom', undefined),
    cut: cut.map((item) => item.id ?? item),
    // A crash counts as something that may pass, so the client comes back of itself.
    crashed: await watching(brief, 'crashedOnce', { name }, { states, until: (item) => item === 'again' }),
    states,
    // Pings keep it: it would reconnect, and begin anew, after a quarter of a second of silence.
    pinged: await watching(quick, 'slowly', { ms: 600 }),
  };
}

// --- retryLink, splitLink, loggerLink, aborts

async function linked() {
  const lines = [];
  let attempts = 0;
  const retrying = client(
    loggerLink({ enabled: () => true, console: { log: (line) => lines.push(line), error: (line) => lines.push(line) }, colorMode: 'none' }),
    retryLink({ retry: ({ error, attempts: n }) => ((attempts = n), error.data?.code === 'FORBIDDEN' && n < 3) }),
    splitLink({
      condition: (op) => op.type === 'subscription',
      true: events('trpc'),
      false: splitLink({
        condition: (op) => op.context.alone === true || isNonJsonSerializable(op.input),
        true: httpLink({ url }),
        false: httpBatchStreamLink({ url }),
      }),
    }),
  );
  const failed = await retrying.fail.query(undefined, { context: { alone: true } }).catch(told);
  const split = [
    await retrying.health.query(),
    await retrying.counted.query({ to: 2 }).then(all),
    await watching(retrying, 'ticks', { count: 1 }),
    await retrying.kept.mutate(new Blob(['four'])),
  ];
  return { attempts, failed, split, logged: lines.filter((line) => line.includes('fail')).length };
}

async function aborted() {
  const closed = (name) => fetch(`${base}/closed/${encodeURIComponent(name)}`).then((reply) => reply.text());
  const outcomes = {};
  for (const [kind, link] of Object.entries({ httpLink: httpLink({ url }), lines: httpBatchStreamLink({ url }) })) {
    const controller = new AbortController();
    const name = `abort ${kind} ${process.env.CLIENT}`;
    const call = client(link).gated.query({ name }, { signal: controller.signal });
    await fetch(`${base}/started/${encodeURIComponent(name)}`);
    controller.abort();
    outcomes[kind] = [await call.then(() => 'answered', (error) => error instanceof TRPCClientError), await closed(name)];
  }
  const name = `unsubscribe ${process.env.CLIENT}`;
  await watching(client(events('trpc')), 'waiting', { name }, { until: () => true });
  outcomes.events = await closed(name);
  const controller = new AbortController();
  const iterated = `iterate ${process.env.CLIENT}`;
  const items = await client(httpBatchStreamLink({ url })).endless.query({ name: iterated }, { signal: controller.signal });
  for await (const _ of items) {
    controller.abort();
    break;
  }
  outcomes.iterable = await closed(iterated);
  return outcomes;
}

// --- FormData and bytes, limits of the links

async function sent() {
  const calls = client(httpLink({ url }));
  const form = new FormData();
  form.append('title', 'ä "quoted"\r\nline');
  form.append('title', 'two');
  form.append('photo', new Blob([new Uint8Array([0, 255, 13, 10, 45, 45])], { type: 'image/png' }), 'grün.png');
  const bytes = new Uint8Array(100_000).fill(7);
  return {
    form: await calls.form.mutate(form),
    picky: await calls.picky.mutate(form),
    missing: await calls.picky.mutate(new FormData()).catch(told),
    octets: await calls.octets.mutate(bytes),
    blob: await calls.octets.mutate(new Blob(['abc'])),
    file: await calls.octets.mutate(new File(['abc'], 'a.txt')),
    empty: await calls.octets.mutate(new Uint8Array()),
    tooLarge: await calls.octets.mutate(new Uint8Array(5 * 1024 * 1024)).catch(told),
    json: await calls.octets.mutate({ a: 1 }).catch(told),
    guest: await client(httpLink({ url, headers: { authorization: 'Bearer guest' } })).form.mutate(form).catch(told),
  };
}

async function limited() {
  const requests = [];
  const fetching = (input, init) => {
    requests.push(`${init.method} ${new URL(input).pathname.split('/').pop()}`);
    return fetch(input, init);
  };
  const two = client(httpBatchLink({ url, maxItems: 2, fetch: fetching }));
  const short = client(httpBatchLink({ url, maxURLLength: 150, fetch: fetching }));
  const small = client(httpBatchLink({ url: `${base}/small` }));
  const strict = client(httpBatchLink({ url: `${base}/strict`, methodOverride: 'POST' }));
  await Promise.all([two.health.query(), two.health.query(), two.health.query()]);
  await Promise.all([short.echo.query({ text: 'x'.repeat(40) }), short.echo.query({ text: 'y'.repeat(40) })]);
  const over = await short.echo.query({ text: 'x'.repeat(200) }).catch((error) => error.message);
  return {
    requests,
    over,
    url: await small.echo.query({ text: 'x'.repeat(300) }).catch(told),
    batch: await Promise.all([1, 2, 3].map(() => small.health.query().catch(told))),
    strict: await strict.echo.query({ text: 'x' }).catch(told),
  };
}

results.header = await streamed({});
if (name === '@trpc/client') results.accept = await streamed({ streamHeader: 'accept' });
results.posted = await streamed({}, 'POST');
results.requestLevel = await client(httpBatchStreamLink({ url: `${base}/trpc?connectionParams={` })).health.query().catch(told);
results.subscribed = await subscribed();
results.linked = await linked();
results.aborted = await aborted();
results.sent = await sent();
results.limited = await limited();
console.log(JSON.stringify(results));

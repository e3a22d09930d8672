// What the real client makes of our sockets; prints one JSON object, checked by test_ws_client.py.
import WebSocketOfNode from 'ws';

const { CLIENT, WS_URL: url, HTTP_URL } = process.env;
const { createTRPCClient, createWSClient, httpLink, splitLink, TRPCClientError, wsLink } = await import(CLIENT);

// Browsers cannot send headers; Node can, with a class of its own.
const bearer = (token) =>
  class extends WebSocketOfNode {
    constructor(address) {
      super(address, { headers: { authorization: `Bearer ${token}` } });
    }
  };

function told(error) {
  if (!(error instanceof TRPCClientError)) throw error;
  return { message: error.message, code: error.shape?.code, data: error.data };
}

// A client, the states that its socket went through, and how often a socket was opened.
function opened(options = {}) {
  const seen = { opened: 0, closed: 0 };
  const ws = createWSClient({
    url,
    WebSocket: WebSocketOfNode,
    onOpen: () => (seen.opened += 1),
    onClose: () => (seen.closed += 1),
    ...options,
  });
  return { ws, seen, client: createTRPCClient({ links: [wsLink({ client: ws })] }) };
}

// Everything that a subscription says until it ends, or until `enough` of it is there.
function followed(procedure, input, enough = () => false) {
  return new Promise((resolve) => {
    const said = [];
    const add = (line) => {
      said.push(line);
      if (!enough(said)) return;
      subscription.unsubscribe();
      resolve(said);
    };
    const subscription = procedure.subscribe(input, {
      onStarted: () => add('started'),
      onData: (data) => add(data),
      onError: (error) => (said.push(told(error)), resolve(said)),
      onComplete: () => (said.push('complete'), resolve(said)),
    });
  });
}

async function until(isSo) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

// While it reconnects, the older client refuses what it is asked for instead of waiting.
async function answered(call) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (told(error).code !== undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

async function calls() {
  const { ws, seen, client } = opened();
  const answers = await Promise.all([
    client.health.query(),
    client.echo.query({ text: 'ä "b"' }),
    client.ping.mutate(),
    client.echoMut.mutate({ text: 'x' }),
    client.nothing.query(),
    client.undefined.query().then((nothing) => nothing === undefined),
    client.huge.query(),
  ]);
  const errors = await Promise.all(
    [
      client.fail.query(),
      client.nope.query(),
      client.ping.query(),
      client.echo.query({ txet: 'x' }),
      client.echo.query({ text: '\ud83d' }),
      client.stream.query(),
    ].map((call) => call.then(() => 'no error', told)),
  );
  const many = await Promise.all(Array.from({ length: 100 }, (_, text) => client.echo.query({ text: `${text}` })));
  await ws.close();
  return { answers, errors, many: many.length, seen };
}

async function subscriptions() {
  const { ws, client } = opened();
  const said = {
    tracked: await followed(client.ticks, { count: 3 }),
    resumed: await followed(client.ticks, { count: 1, lastEventId: '7' }),
    untracked: await followed(client.numbers, { count: 3 }),
    mixed: await followed(client.mixed),
    refused: await followed(client.fails),
    invalid: await followed(client.ticks, { count: 'x' }),
    unknown: await followed(client.nope),
    stopped: await followed(client.endless, undefined, (lines) => lines.includes(1)),
    again: await followed(client.endless, undefined, (lines) => lines.includes(1)),
  };
  await ws.close();
  return said;
}

async function split() {
  const { ws } = opened();
  const client = createTRPCClient({
    links: [
      splitLink({
        condition: (op) => op.type === 'subscription',
        true: wsLink({ client: ws }),
        false: httpLink({ url: HTTP_URL }),
      }),
    ],
  });
  const said = [await client.health.query(), await followed(client.numbers, { count: 1 })];
  await ws.close();
  return said;
}

async function lazy() {
  const closed = Promise.withResolvers?.() ?? {};
  closed.promise ??= new Promise((resolve) => (closed.resolve = resolve));
  const { seen, client } = opened({ lazy: { enabled: true, closeMs: 20 }, onClose: () => closed.resolve() });
  const before = seen.opened;
  const health = await client.health.query();
  await closed.promise;
  return { before, health, after: seen.opened, again: await client.health.query() };
}

// A socket that is kept alive by its client's pings is not opened twice while these are answered.
async function kept() {
  const pongs = [];
  class Counting extends WebSocketOfNode {
    constructor(address) {
      super(address);
      this.addEventListener('message', ({ data }) => data === 'PONG' && pongs.push(data));
    }
  }
  const { ws, seen, client } = opened({
    WebSocket: Counting,
    keepAlive: { enabled: true, intervalMs: 5, pongTimeoutMs: 10_000 },
  });
  await client.health.query();
  await until(() => pongs.length >= 3);
  await ws.close();
  return seen.opened;
}

async function shown() {
  const params = opened({ connectionParams: async () => ({ user: 'Ada' }) });
  const none = opened({ connectionParams: () => null });
  const header = opened({ WebSocket: bearer('Grace') });
  const said = await Promise.all([params, none, header].map(({ client }) => client.who.query()));
  await Promise.all([params, none, header].map(({ ws }) => ws.close()));
  return said;
}

// A context that is refused closes the socket; the client comes back with other parameters.
async function refused() {
  const users = ['expired', 'Ada'];
  const { ws, seen, client } = opened({ connectionParams: () => ({ user: users.shift() }), retryDelayMs: () => 0 });
  const first = await client.who.query().catch(told);
  await until(() => seen.opened === 2);
  const second = await answered(() => client.who.query());
  await ws.close();
  return { first, second };
}

// A token that ends while the socket is open: the client opens another and shows the next one.
async function renewed() {
  const users = ['Revoked', 'Ada'];
  const { ws, seen, client } = opened({ connectionParams: () => ({ user: users.shift() ?? 'Ada' }) });
  const other = followed(client.numbers, { count: 3 });
  const first = await client.who.query().catch(told);
  await until(() => seen.opened === 2);
  const second = await answered(() => client.who.query());
  const said = { first: first.data.code, second, other: await other };
  await ws.close();
  return said;
}

console.log(
  JSON.stringify({
    calls: await calls(),
    subscriptions: await subscriptions(),
    split: await split(),
    lazy: await lazy(),
    kept: await kept(),
    shown: await shown(),
    refused: await refused(),
    renewed: await renewed(),
  }),
);
process.exit(0);

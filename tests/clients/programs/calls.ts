// What the package makes of calls; prints one JSON object, checked by test_package.py.
import { createRolecallClient, isRolecallError, type RolecallClient, type RolecallOptions } from 'rolecall-client';
import type { AppRouter } from './router.js';

const url = process.env.ROLECALL_URL!;
const token = process.env.ROLECALL_TOKEN!;

type Seen = { path: string; method: string; key: string | null; authorization: string | null };

/** A fetch that notes what it is asked, and refuses the first requests with these statuses. */
function noting(refusals: number[] = [], wait = '0', more: object = {}): { seen: Seen[]; fetch: typeof fetch } {
  const seen: Seen[] = [];
  return {
    seen,
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers);
      seen.push({
        path: new URL(String(input)).pathname,
        method: init?.method ?? 'GET',
        key: headers.get('idempotency-key'),
        authorization: headers.get('authorization'),
      });
      const status = refusals.shift();
      if (status === undefined) return fetch(input, init);
      const error = { message: 'not now', code: -32603, data: { code: 'SCRIPTED', httpStatus: status, ...more } };
      const isStream = headers.get('trpc-accept') === 'application/jsonl';
      return isStream
        ? new Response(`{"0":[[0],[null,0,0]]}\n[0,0,[[${JSON.stringify({ error })}]]]\n`)
        : Response.json({ error }, { status, headers: { 'retry-after': wait } });
    },
  };
}

/** How many requests a call takes when the first ones are refused with these statuses, and whether it came through. */
async function attempts(
  refusals: number[],
  call: (rolecall: RolecallClient<AppRouter>) => Promise<unknown>,
  more: Partial<RolecallOptions> = {},
): Promise<[number, boolean]> {
  const { seen, fetch } = noting(refusals);
  const came = await call(client({ fetch, retry: { maxDelayMs: 1 }, ...more })).then(
    () => true,
    () => false,
  );
  return [seen.length, came];
}

function client(options: Partial<RolecallOptions> = {}) {
  return createRolecallClient<AppRouter>({ url, token, ...options });
}

const who = (rolecall: RolecallClient<AppRouter>) => rolecall.system.whoami.query();
const start = (rolecall: RolecallClient<AppRouter>, idempotencyKey?: string) =>
  rolecall.execution.start.mutate({ orchestration: 'echo it', input: { text: 'x' }, idempotencyKey });

async function together(streaming: boolean) {
  const { seen, fetch } = noting();
  const rolecall = client({ fetch, streaming });
  const [me, roles, echoed] = await Promise.all([
    rolecall.system.whoami.query(),
    rolecall.role.list.query(),
    rolecall.run.echoIt.mutate({ text: 'ä' }, { context: { idempotencyKey: `together ${streaming}` } }),
    rolecall.run.echoIt.mutate({ text: 'b' }),
  ]);
  return { name: me.name, roles: typeof roles, text: echoed.text, requests: seen.map(({ path, method, key }) => [method, path, key]) };
}

async function renewed() {
  const { seen, fetch } = noting();
  let asked = 0;
  const rolecall = client({ fetch, retry: false, token: async () => ((asked += 1) === 1 ? 'rc_expired' : token) });
  const first = await rolecall.system.whoami.query().catch((error: unknown) => isRolecallError(error, 'UNAUTHORIZED'));
  const second = await rolecall.system.whoami.query();
  return [first, second.name, new Set(seen.map(({ authorization }) => authorization)).size];
}

/** Whether the wait that the server asks for is kept, and cut at the longest there may be. */
async function waits(): Promise<boolean[]> {
  const mine = client({ fetch: noting([429], '1').fetch });
  const begun = performance.now();
  await mine.run.echoIt.mutate({ text: 'later' });
  const asked = performance.now() - begun;
  const streamed = client({ fetch: noting([429], '0', { retryAfterMs: 900 }).fetch });
  const again = performance.now();
  await streamed.system.whoami.query();
  const said = performance.now() - again;
  const capped = client({ fetch: noting([429], '3600').fetch, retry: { maxDelayMs: 1 } });
  return [asked >= 1_000, said >= 900, (await capped.run.echoIt.mutate({ text: 'sooner' })).text === 'sooner'];
}

/** What orchestrations answer whose names mean something to JavaScript, or to the client. */
async function names() {
  const { run } = client();
  return Promise.all([
    run.toString.mutate(),
    run.constructor.mutate(),
    run.then_.mutate(),
    run.apply_.mutate(),
    run.mutate.mutate(),
    run.query.mutate(),
    run.prototype.mutate(),
    run.length.mutate(),
    run.name.mutate(),
    run.hasOwnProperty.mutate(),
    run.httpServerV2.mutate(),
    run.default.mutate(),
  ]);
}

async function told(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isRolecallError(error)) throw error;
  const { code, executionId, failure, step, problems } = error.data ?? {};
  return { code, hasExecution: typeof executionId === 'string', failure: failure?.code, step, at: problems?.[0]?.path };
}

console.log(
  JSON.stringify({
    streamed: await together(true),
    batched: await together(false),
    addresses: await Promise.all(
      [url, url.replace(/\/trpc$/, ''), url + '/', url.replace(/trpc$/, '')].map(async (each) => (await who(client({ url: each }))).name),
    ),
    renewed: await renewed(),
    retried: {
      'batch that does not stream': await attempts([429], who, { streaming: false }),
      'query, refused twice': await attempts([503, 429], who),
      'query, refused for good': await attempts([503, 503, 503, 503, 503], who),
      'query, refused once too often': await attempts([429, 429], who, { retry: { attempts: 2, maxDelayMs: 1 } }),
      'query that failed': await attempts([500], who),
      'query, not to be retried': await attempts([503], who, { retry: false }),
      'mutation, too fast': await attempts([429], start),
      'mutation, server away': await attempts([503], start),
      'mutation with a key, server away': await attempts([503], (rolecall) => start(rolecall, 'again')),
      'run, server away': await attempts([503], (rolecall) => rolecall.run.echoIt.mutate({ text: 'c' })),
      'run with a key, server away': await attempts([503], (rolecall) =>
        rolecall.run.echoIt.mutate({ text: 'c' }, { context: { idempotencyKey: 'run again' } }),
      ),
    },
    waits: await waits(),
    names: await names(),
    errors: {
      failed: await told(client().run.failAlways.mutate()),
      refused: await told(client().run.echoIt.mutate({ text: 1 as unknown as string })),
      unreachable: await told(createRolecallClient({ url: 'http://127.0.0.1:1', token, retry: false }).system.whoami.query()),
      notOurs: isRolecallError(new Error('no')),
    },
  }),
);

import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  isNonJsonSerializable,
  splitLink,
  type Operation,
  type TRPCClient,
  type TRPCLink,
} from '@trpc/client';
import type { AnyTRPCRouter } from '@trpc/server';
import { retries, type RetryOptions } from './retries.js';
import type { AppRouter } from './router.js';
import { events, sockets } from './subscriptions.js';

/** A token, or what gives one for each request: so that it may be renewed meanwhile. */
export type Token = string | (() => string | Promise<string>);

export type RolecallOptions = {
  /** Where the server is: `http://127.0.0.1:8787`. What lies behind that, `/trpc`, may stand there or not. */
  url: string;
  token: Token;
  /**
   * What subscriptions travel by: server-sent events, or one WebSocket for all of them. `'sse'` unless said otherwise;
   * proxies that hold events back are the reason for the other.
   */
  subscriptions?: 'sse' | 'ws' | undefined;
  /** The class for WebSockets, where the runtime has none: Node before 22, with the package `ws`. */
  WebSocket?: typeof WebSocket | undefined;
  /**
   * Whether the answers of one batch come one by one, each as soon as it is there, instead of all together. True unless
   * said otherwise; queries that stream need it.
   */
  streaming?: boolean | undefined;
  /** What is tried again when the server says 429 or 503: up to four times in all unless said otherwise. */
  retry?: RetryOptions | false | undefined;
  /** What requests are made with instead of the global `fetch`. */
  fetch?: typeof fetch | undefined;
};

/** The procedures of a router, each with `.query`, `.mutate` or `.subscribe`. */
export type RolecallClient<TRouter extends AnyTRPCRouter = AppRouter> = TRPCClient<TRouter>;

/**
 * A client for the server at `url`. For the orchestrations of that server, `run.*`, give it the `AppRouter` of a
 * `router.ts` that was generated there: `createRolecallClient<AppRouter>(…)`.
 */
export function createRolecallClient<TRouter extends AnyTRPCRouter = AppRouter>(
  options: RolecallOptions,
): RolecallClient<TRouter> {
  // A router that was generated differs from ours in its procedures, which links do not look at.
  return createTRPCClient<TRouter>({ links: links(options) as unknown as TRPCLink<TRouter>[] });
}

function links(options: RolecallOptions): TRPCLink<AppRouter>[] {
  const url = options.url.replace(/\/+$/, '').replace(/\/trpc$/, '') + '/trpc';
  const token = async () => (typeof options.token === 'string' ? options.token : await options.token());
  const subscriptions =
    options.subscriptions === 'ws' ? sockets(url, token, options.WebSocket) : events(url, token, options.fetch);
  const calls = splitLink<AppRouter>({
    condition: travelsAlone,
    true: single(url, token, options.fetch),
    false: batched(url, token, options),
  });
  const terminating = splitLink<AppRouter>({
    condition: (op) => op.type === 'subscription',
    true: subscriptions,
    false: calls,
  });
  return options.retry === false ? [terminating] : [retries(options.retry ?? {}), terminating];
}

// A key is that of one request, a form or bytes are no JSON, and a run is waited for as long as it takes.
function travelsAlone(op: Operation): boolean {
  return op.context['idempotencyKey'] !== undefined || isNonJsonSerializable(op.input) || op.path.startsWith('run.');
}

function single(url: string, token: () => Promise<string>, fetch: RolecallOptions['fetch']): TRPCLink<AppRouter> {
  return httpLink<AppRouter>({
    url,
    ...(fetch && { fetch: fetch as never }),
    headers: async ({ op }) => {
      const key = op.context['idempotencyKey'];
      return {
        authorization: `Bearer ${await token()}`,
        ...(key !== undefined && { 'idempotency-key': String(key) }),
      };
    },
    ...IN_BODIES,
  });
}

function batched(url: string, token: () => Promise<string>, options: RolecallOptions): TRPCLink<AppRouter> {
  const link = options.streaming === false ? httpBatchLink<AppRouter> : httpBatchStreamLink<AppRouter>;
  return link({
    url,
    ...(options.fetch && { fetch: options.fetch as never }),
    headers: async () => ({ authorization: `Bearer ${await token()}` }),
    maxItems: MAX_BATCH,
    ...IN_BODIES,
  });
}

// Inputs are of any length, and addresses are written to logs.
const IN_BODIES = { methodOverride: 'POST' } as const;
// As many calls as the server takes at once.
const MAX_BATCH = 20;

import { createWSClient, httpSubscriptionLink, wsLink, type TRPCLink } from '@trpc/client';
import { EventSource, type FetchLike } from 'eventsource';
import type { AppRouter } from './router.js';

/** Subscriptions by server-sent events. The browser's own `EventSource` sends no headers, so this is another. */
export function events(
  url: string,
  token: () => Promise<string>,
  fetch: typeof globalThis.fetch | undefined,
): TRPCLink<AppRouter> {
  const send: FetchLike = async (input, init) => {
    // Also for each reconnection: a token that was renewed meanwhile is the one that holds.
    const authorization = `Bearer ${await token()}`;
    return (fetch ?? globalThis.fetch)(input, { ...(init as RequestInit), headers: { ...init.headers, authorization } });
  };
  return httpSubscriptionLink<AppRouter, typeof EventSource>({ url, EventSource, eventSourceOptions: { fetch: send } });
}

/** Subscriptions by one WebSocket, which is open while there are any. */
export function sockets(
  url: string,
  token: () => Promise<string>,
  WebSocket: typeof globalThis.WebSocket | undefined,
): TRPCLink<AppRouter> {
  const client = createWSClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: async () => ({ token: await token() }),
    lazy: { enabled: true, closeMs: 0 },
    keepAlive: { enabled: true },
    ...(WebSocket && { WebSocket }),
  });
  return wsLink<AppRouter>({ client });
}

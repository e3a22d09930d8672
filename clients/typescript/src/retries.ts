import { retryLink, type Operation, type TRPCClientError, type TRPCLink } from '@trpc/client';
import type { AppRouter } from './router.js';

export type RetryOptions = {
  /** How often a call is made at most, the first time included: 4 unless said otherwise. */
  attempts?: number | undefined;
  /** The longest wait between two of them, in milliseconds: 30,000 unless said otherwise. */
  maxDelayMs?: number | undefined;
};

const FIRST_DELAY_MS = 500;

/**
 * Calls that the server refused for now are made again: after as long as it asks for, else after twice as long each
 * time.
 *
 * 429 is said before anything is done. 503 may be said when the database went away in the middle, so a mutation is only
 * made again where it has an idempotency key.
 */
export function retries(options: RetryOptions): TRPCLink<AppRouter> {
  const attempts = options.attempts ?? 4;
  const maxDelayMs = options.maxDelayMs ?? 30_000;
  return (runtime) => (call) => {
    // The link asks for the delay at once after it has been told to try again, but not about which error.
    let delayMs = 0;
    const link = retryLink<AppRouter>({
      retry: ({ op, error, attempts: made }) => {
        if (made >= attempts || !isWorthAnother(op, error)) return false;
        delayMs = Math.min(askedFor(error) ?? FIRST_DELAY_MS * 2 ** (made - 1), maxDelayMs);
        return true;
      },
      retryDelayMs: () => delayMs,
    });
    return link(runtime)(call);
  };
}

function isWorthAnother(op: Operation, error: TRPCClientError<AppRouter>): boolean {
  switch (statusOf(error)) {
    case 429:
      return true;
    case 503:
      return op.type !== 'mutation' || isKeyed(op);
    default:
      return false;
  }
}

function isKeyed(op: Operation): boolean {
  const input = op.input as { idempotencyKey?: unknown } | null | undefined;
  return op.context['idempotencyKey'] !== undefined || typeof input?.idempotencyKey === 'string';
}

/** What the server has answered with, or a proxy in front of it, whose answer is no envelope. */
function statusOf(error: TRPCClientError<AppRouter>): unknown {
  const event = error.cause as { code?: unknown } | undefined;
  return error.data?.httpStatus ?? responseTo(error)?.status ?? event?.code;
}

/** How long to wait, in milliseconds, if the server has said so. Answers that stream have no header to say it in. */
function askedFor(error: TRPCClientError<AppRouter>): number | undefined {
  const seconds = Number(responseTo(error)?.headers.get('retry-after') ?? NaN);
  return error.data?.retryAfterMs ?? (seconds >= 0 ? seconds * 1_000 : undefined);
}

function responseTo(error: TRPCClientError<AppRouter>): Response | undefined {
  const response = error.meta?.['response'];
  return response instanceof Response ? response : undefined;
}

import { TRPCClientError } from '@trpc/client';
import type { AppRouter } from './router.js';

/** What a call was refused with, or failed with: `data` says which code, and more about it. */
export type RolecallError = TRPCClientError<AppRouter>;

export type RolecallErrorCode = NonNullable<RolecallError['data']>['code'];

/**
 * Whether an error is one of the client's: with a `data` when the server has answered, and without when it could not be
 * reached. With codes, whether the server has answered with one of them.
 */
export function isRolecallError(error: unknown, ...codes: RolecallErrorCode[]): error is RolecallError {
  if (!(error instanceof TRPCClientError)) return false;
  const { data } = error as RolecallError;
  return codes.length === 0 || (data != null && codes.includes(data.code));
}

/** A client for Rolecall: the tRPC client, with the links, the retries and the types that its server wants. */
export { createRolecallClient, type RolecallClient, type RolecallOptions, type Token } from './client.js';
export { isRolecallError, type RolecallError, type RolecallErrorCode } from './errors.js';
export type * from './router.js';

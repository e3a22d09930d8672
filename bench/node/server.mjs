// `role.list`, `role.get` and `role.create` on the official server: node server.mjs pg | prisma, DATABASE_URL in the
// environment. It prints its URL once it listens. Inputs, token check and answers are those of our own server.
import { createHash, timingSafeEqual } from 'node:crypto';
import { initTRPC, TRPCError } from '@trpc/server';
import { createHTTPServer } from '@trpc/server/adapters/standalone';
import { z } from 'zod';

const POOL_SIZE = 8;
const TOOLS = new Set(['files.read', 'meta']);
const TOKEN = /^Bearer +rc_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})$/i;
const ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const { open } = await import(`./${process.argv[2]}.mjs`);
const store = open(process.env.DATABASE_URL, POOL_SIZE);

async function callerOf(authorization) {
  const [, prefix, secret] = TOKEN.exec(authorization ?? '') ?? [];
  const token = prefix && (await store.token(prefix));
  if (!token?.isValid || !timingSafeEqual(token.hash, createHash('sha256').update(secret).digest())) return null;
  return { kind: token.kind, name: token.name, scopes: token.scopes };
}

const t = initTRPC.context().create();

// Only what has a caller with this scope gets further.
const needing = (scope) =>
  t.procedure.use(({ ctx, next }) => {
    if (!ctx.caller) throw new TRPCError({ code: 'UNAUTHORIZED' });
    if (!ctx.caller.scopes.includes(scope)) throw new TRPCError({ code: 'FORBIDDEN' });
    return next();
  });

const cursorBehind = ({ name, id }) => Buffer.from(JSON.stringify({ key: name, id })).toString('base64url');

const toolName = z.string().min(1).max(100);
const newRole = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9 _.-]{0,99}$/),
  basePrompt: z.string().max(100_000),
  description: z.string().max(100_000).default(''),
  tools: z.array(toolName).default([]),
  needsTools: z.boolean().default(false),
  model: z
    .strictObject({
      preferred: z.array(z.string()).optional(),
      capabilities: z.array(z.enum(['tools', 'json', 'vision'])).optional(),
      minContextTokens: z.int().nullish(),
    })
    .default({}),
  parameters: z
    .strictObject({
      temperature: z.number().min(0).max(2).nullable().default(null),
      maxOutputTokens: z.int().min(1).max(1_000_000).nullable().default(null),
      repairs: z.int().min(0).max(10).nullable().default(null),
      contextPolicy: z.enum(['fail', 'trim', 'summarise']).nullable().default(null),
    })
    .default({ temperature: null, maxOutputTokens: null, repairs: null, contextPolicy: null }),
  outputSchema: z.json().default(null),
  isActive: z.boolean().default(true),
});

const role = t.router({
  list: needing('roles.read')
    .input(
      z.strictObject({
        tool: toolName.nullish(),
        limit: z.int().min(1).max(500).default(100),
        after: z.string().max(100).nullish(),
      }),
    )
    .query(async ({ input }) => {
      // One more than the page holds tells whether there is a next one.
      const rows = await store.list({ ...input, limit: input.limit + 1 });
      const items = rows.slice(0, input.limit);
      return { items, nextCursor: rows.length > input.limit ? cursorBehind(items.at(-1)) : null };
    }),
  get: needing('roles.read')
    .input(z.strictObject({ role: z.string().min(1).max(100) }))
    .query(async ({ input }) => {
      const found = await store.get(ID.test(input.role) ? { id: input.role } : { name: input.role });
      if (!found) throw new TRPCError({ code: 'NOT_FOUND' });
      return found;
    }),
  create: needing('roles.write')
    .input(newRole)
    .mutation(async ({ ctx, input }) => {
      if (!input.tools.every((name) => TOOLS.has(name))) throw new TRPCError({ code: 'BAD_REQUEST' });
      try {
        return await store.create({ ...input, createdBy: ctx.caller.name });
      } catch (error) {
        throw store.isTaken(error) ? new TRPCError({ code: 'CONFLICT' }) : error;
      }
    }),
});

const server = createHTTPServer({
  router: t.router({ role }),
  basePath: '/trpc/',
  maxBatchSize: 20,
  createContext: async ({ req }) => ({ caller: await callerOf(req.headers.authorization) }),
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));

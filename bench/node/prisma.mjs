// The rows by Prisma, over the same `pg`. Its client `rows` is generated from schema.prisma into node_modules.
import { PrismaPg } from '@prisma/adapter-pg';
import client from 'rows';

// What keeps a role from being used: nothing, of these.
const whole = (row) => row && { ...row, problems: [] };

export function open(url, poolSize) {
  const prisma = new client.PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: poolSize }) });
  return {
    token: async (prefix) => {
      const found = await prisma.token.findUnique({ where: { prefix } });
      return found && { ...found, isValid: !found.revokedAt && (!found.expiresAt || found.expiresAt > new Date()) };
    },
    list: async ({ tool, limit, after }) =>
      (
        await prisma.role.findMany({
          where: { name: after == null ? undefined : { gt: after }, tools: tool == null ? undefined : { has: tool } },
          orderBy: { name: 'asc' },
          take: limit,
        })
      ).map(whole),
    get: async (where) => whole(await prisma.role.findUnique({ where })),
    create: async (role) =>
      whole(await prisma.role.create({ data: { ...role, outputSchema: role.outputSchema ?? client.Prisma.DbNull } })),
    isTaken: (error) => error.code === 'P2002',
  };
}

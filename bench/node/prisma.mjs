// The rows by Prisma, over the same `pg`. Its client `rows` is generated from schema.prisma into node_modules.
import { PrismaPg } from '@prisma/adapter-pg';
import client from 'rows';

export function open(url, poolSize) {
  const prisma = new client.PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: poolSize }) });
  return {
    token: async (prefix) => {
      const found = await prisma.token.findUnique({ where: { prefix } });
      return found && { ...found, isValid: !found.revokedAt && (!found.expiresAt || found.expiresAt > new Date()) };
    },
    list: ({ tool, limit, after }) =>
      prisma.role.findMany({
        where: { name: after == null ? undefined : { gt: after }, tools: tool == null ? undefined : { has: tool } },
        orderBy: { name: 'asc' },
        take: limit,
      }),
    get: (where) => prisma.role.findUnique({ where }),
    create: (role) =>
      prisma.role.create({ data: { ...role, outputSchema: role.outputSchema ?? client.Prisma.DbNull } }),
    isTaken: (error) => error.code === 'P2002',
  };
}

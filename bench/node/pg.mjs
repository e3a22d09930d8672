// The rows by `pg`. Every statement has a name, so that it is prepared once on each connection, as ours are.
import pg from 'pg';

const ROLE = `id, name, description, base_prompt AS "basePrompt", tools, needs_tools AS "needsTools", model, parameters,
  output_schema AS "outputSchema", is_active AS "isActive", version, created_by AS "createdBy",
  created_at AS "createdAt", updated_at AS "updatedAt", expires_at AS "expiresAt", '[]'::jsonb AS problems`;
const TOKEN = `SELECT name, kind, scopes, hash, revoked_at IS NULL AND coalesce(expires_at > now(), true) AS "isValid"
  FROM token WHERE prefix = $1`;
const CREATE = `INSERT INTO role (name, description, base_prompt, tools, needs_tools, model, parameters, output_schema,
  is_active, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ${ROLE}`;

export function open(url, poolSize) {
  const pool = new pg.Pool({ connectionString: url, max: poolSize });
  const rows = async (name, text, values) => (await pool.query({ name, text, values })).rows;
  return {
    token: async (prefix) => (await rows('token', TOKEN, [prefix]))[0],
    list: ({ tool, limit, after }) => {
      const values = [limit];
      const conditions = [];
      if (after != null) conditions.push(`name > $${values.push(after)}`);
      if (tool != null) conditions.push(`$${values.push(tool)} = ANY (tools)`);
      const where = conditions.length ? `WHERE ${conditions.join(' AND ')}` : '';
      return rows(`list ${where}`, `SELECT ${ROLE} FROM role ${where} ORDER BY name LIMIT $1`, values);
    },
    get: async ({ id, name }) =>
      id !== undefined
        ? (await rows('get by id', `SELECT ${ROLE} FROM role WHERE id = $1`, [id]))[0]
        : (await rows('get by name', `SELECT ${ROLE} FROM role WHERE name = $1`, [name]))[0],
    create: async (role) => {
      const schema = role.outputSchema === null ? null : JSON.stringify(role.outputSchema);
      const values = [role.name, role.description, role.basePrompt, role.tools, role.needsTools, role.model];
      values.push(role.parameters, schema, role.isActive, role.createdBy);
      return (await rows('create', CREATE, values))[0];
    },
    isTaken: (error) => error.code === '23505',
  };
}

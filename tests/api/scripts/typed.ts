// Compiled, never run: what the router's types let a client say, and what they do not.
import { createTRPCClient, httpBatchLink, TRPCClientError } from '@trpc/client';
import type { AppRouter, Execution, Problem, Role, RolePage } from './router';

const client = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: 'http://127.0.0.1:8787/trpc' })] });

export async function wellTyped(): Promise<void> {
  const role: Role = await client.role.create.mutate({ name: 'Critic', basePrompt: 'Judge.' });
  await client.role.update.mutate({ role: role.id, changes: { model: { preferred: ['ollama'] } } });
  const { problems } = await client.orchestration.validate.query({ document: { name: 'A', steps: [] } });
  const first: Problem | undefined = problems[0];
  const started: Execution = await client.execution.start.mutate({ orchestration: 'A', input: { topic: first?.message ?? null } });
  const steps = await client.execution.steps.query({ execution: started.id });
  const total: number = steps.reduce((sum, step) => sum + step.durationMs, 0);
  const page: RolePage = await client.role.list.query({ sort: { by: 'updatedAt', order: 'desc' }, q: 'crit' });
  const next = page.nextCursor === null ? null : await client.role.list.query({ cursor: page.nextCursor });
  const names: string[] = [...page.items, ...(next?.items ?? [])].map(({ name }) => name);
  const { major } = await client.orchestration.publish.mutate({ orchestration: 'A', number: 2, breaking: true });
  await client.execution.list.query({ status: ['failed', 'timed_out'], sort: { by: 'finishedAt' } });
  const { status } = await client.system.health.query();
  console.log(names.length, major);
  console.log(total, status === 'ok');
}

export async function streamed(execution: string): Promise<string> {
  client.execution.follow.subscribe(
    { execution, after: 3 },
    {
      onData: (item) => {
        // An event has an id, progress has none.
        const shown: string = 'id' in item ? `${item.id} ${item.data.kind}` : item.type === 'delta' ? item.text : item.path;
        console.log(shown);
      },
    },
  );
  let text = '';
  for await (const item of await client.execution.run.mutate({ orchestration: 'A' })) {
    text += item.type === 'delta' ? item.text : '';
  }
  return text;
}

export async function illTyped(): Promise<void> {
  // @ts-expect-error a role has no colour
  await client.role.create.mutate({ name: 'Critic', basePrompt: 'Judge.', colour: 'red' });
  // @ts-expect-error a prompt is needed
  await client.role.create.mutate({ name: 'Critic' });
  // @ts-expect-error there is no such status
  await client.execution.list.query({ status: 'sleeping' });
  // @ts-expect-error what is followed has to be said
  client.execution.follow.subscribe({ after: 3 }, {});
  // @ts-expect-error a subscription is not a query
  await client.execution.follow.query({ execution: 'x' });
  // @ts-expect-error progress has no number
  client.execution.follow.subscribe({ execution: 'x' }, { onData: (item) => item.data.seq });
  // @ts-expect-error not even among others
  await client.execution.list.query({ status: ['failed', 'sleeping'] });
  // @ts-expect-error roles have no order of that name
  await client.role.list.query({ sort: { by: 'colour' } });
  // @ts-expect-error a query is not a mutation
  await client.role.list.mutate();
}

export function told(error: unknown): string[] {
  return error instanceof TRPCClientError ? [error.message] : [];
}

// Calls every procedure through one link of the real client; each line it prints is one call and what came back.
import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  TRPCClientError,
} from '@trpc/client';
import { EventSource } from 'eventsource';

const { ROLECALL_URL: url, ROLECALL_TOKEN: token, LINK: link } = process.env;
const links = { httpLink, httpBatchLink };
let requests = 0;

const client = createTRPCClient({
  links: [
    splitLink({
      condition: (op) => op.type === 'subscription',
      // As in a browser, whose EventSource sends no headers of ours.
      true: httpSubscriptionLink({ url, EventSource, connectionParams: { token } }),
      false: splitLink({
        condition: (op) => op.path === 'execution.run',
        true: httpBatchStreamLink({ url, headers: { authorization: `Bearer ${token}` } }),
        false: links[link]({
          url,
          headers: { authorization: `Bearer ${token}` },
          fetch: (...request) => ((requests += 1), fetch(...request)),
        }),
      }),
    }),
  ],
});

const say = (line) => console.log(JSON.stringify(line));

async function tell(call, promise) {
  try {
    const data = await promise;
    say({ call, data });
    return data;
  } catch (error) {
    if (!(error instanceof TRPCClientError)) throw error;
    say({ call, error: { message: error.message, ...error.data } });
    return null;
  }
}

function followed(input) {
  const items = [];
  return new Promise((resolve, reject) =>
    client.execution.follow.subscribe(input, {
      onData: (item) => items.push(item),
      onError: reject,
      onComplete: () => resolve(items),
    }),
  );
}

async function all(iterable) {
  const items = [];
  for await (const item of iterable) items.push(item);
  return items;
}

async function untilFinished(execution) {
  for (;;) {
    const { status } = await client.execution.get.query({ execution });
    if (['completed', 'failed', 'cancelled'].includes(status)) return;
  }
}

const role = `Reader ${link}`;
const orchestration = `Reading ${link}`;
const slow = `Waiting ${link}`;
const schema = { type: 'object', properties: { topic: { type: 'string' } }, required: ['topic'] };
const reading = {
  name: orchestration,
  input: schema,
  steps: [
    { name: 'Quote', kind: 'transform', inputMapping: { said: '<<input.topic>>' } },
    { name: 'Read', kind: 'llm', roleName: role, prompt: 'Sum up: <<context.Quote.said>>' },
  ],
  output: { brief: '<<context.Read>>' },
};
// No folder is open to roles, so this step fails and waits an hour for its next attempt.
const waiting = {
  name: slow,
  steps: [{ name: 'Fetch', kind: 'tool', tool: 'files.read', inputMapping: { path: 'a' }, maxRetries: 1, retryDelay: 3600000 }],
};
const delivery = { name: `Delivery ${link}`, steps: [{ name: 'Paid', kind: 'wait', event: 'payment' }] };

await tell('system.health', client.system.health.query());
await tell('system.whoami', client.system.whoami.query());

await tell('role.create', client.role.create.mutate({ name: role, basePrompt: 'You read.', parameters: { temperature: 0 } }));
await tell('role.update', client.role.update.mutate({ role, changes: { description: 'Reads.', basePrompt: 'You read closely.' } }));
await tell('role.get', client.role.get.query({ role }));
await tell('role.list', client.role.list.query());
await tell('role.versions', client.role.versions.query({ role }));
await tell('role.rollback', client.role.rollback.mutate({ role, ifVersion: 2, idempotencyKey: `back ${link}` }));
await tell('role.rollback again', client.role.rollback.mutate({ role, ifVersion: 2, idempotencyKey: `back ${link}` }));
await tell('role.draft', client.role.draft.mutate({ role, changes: { basePrompt: 'You read.\nTwice.' }, message: 'so far' }));
await tell('role.discard', client.role.discard.mutate({ role, number: 4 }));
await tell('role.propose', client.role.propose.mutate({ role, changes: { basePrompt: 'You read.\nTwice.' }, message: 'better' }));
await tell('role.diff', client.role.diff.query({ role, to: 4 }));
await tell('role.publish', client.role.publish.mutate({ role, number: 4, ifVersion: 3 }));
await client.role.propose.mutate({ role, changes: { description: 'Once.' } });
await tell('role.reject', client.role.reject.mutate({ role, number: 5, reason: 'twice' }));
await tell('role.archive', client.role.archive.mutate({ role, number: 3 }));
await tell('role.promote', client.role.promote.mutate({ role }));
await tell('all versions', client.role.versions.query({ role }));
// As the infinite queries of @trpc/react-query ask: the cursor beside the rest, and a direction.
const pages = [];
for (let cursor; cursor !== null; ) {
  const page = await client.role.list.query({ limit: 1, sort: { by: 'updatedAt', order: 'desc' }, direction: 'forward', ...(cursor && { cursor }) });
  pages.push(page.items.map(({ name }) => name));
  cursor = page.nextCursor;
}
say({ call: 'pages', data: pages.flat() });

await tell('orchestration.validate', client.orchestration.validate.query({ document: reading }));
await tell('orchestration.schema', client.orchestration.schema.query());
await tell('orchestration.create', client.orchestration.create.mutate({ document: reading }));
await tell('orchestration.diff', client.orchestration.diff.query({ orchestration, document: { ...reading, tags: ['brief'] } }));
await tell('orchestration.update', client.orchestration.update.mutate({ orchestration, changes: { tags: ['brief'] } }));
await tell('orchestration.get', client.orchestration.get.query({ orchestration }));
await tell('orchestration.list', client.orchestration.list.query({ tags: ['brief'], isActive: true }));

const exported = await tell('orchestration.export', client.orchestration.export.query({ orchestrations: [orchestration] }));
await tell('as JSON', client.orchestration.export.query({ roles: [role], format: 'json' }));
const changed = exported.text.replace('You read.', 'You skim.').replace('tags: [brief]', 'tags: [brief, long]');
await tell('import tried', client.orchestration.import.mutate({ text: changed, dryRun: true }));
await tell('orchestration.import', client.orchestration.import.mutate({ text: exported.text, idempotencyKey: `import ${link}` }));
await tell('wrong import', client.orchestration.import.mutate({ text: 'rolecall: 1\nrolls: []' }));

const proposal = { ...reading, description: 'Proposed.' };
await tell('orchestration.draft', client.orchestration.draft.mutate({ orchestration, document: reading, message: 'so far' }));
await tell('orchestration.discard', client.orchestration.discard.mutate({ orchestration, number: 3 }));
await tell('orchestration.propose', client.orchestration.propose.mutate({ orchestration, document: proposal, message: 'shorter' }));
await tell('orchestration.version', client.orchestration.version.query({ orchestration, number: 3 }));
await tell('orchestration.publish', client.orchestration.publish.mutate({ orchestration, number: 3, ifVersion: 2 }));
await tell('orchestration.rollback', client.orchestration.rollback.mutate({ orchestration, ifVersion: 3 }));
await tell('orchestration.activate', client.orchestration.activate.mutate({ orchestration, number: 1 }));
await tell('orchestration.archive', client.orchestration.archive.mutate({ orchestration, number: 3 }));
await client.orchestration.propose.mutate({ orchestration, document: proposal });
await tell('orchestration.reject', client.orchestration.reject.mutate({ orchestration, number: 4, reason: 'as before' }));
await tell('orchestration.canary', client.orchestration.canary.mutate({ orchestration, number: 2, percent: 100, ifVersion: 1 }));
await tell('orchestration.promote', client.orchestration.promote.mutate({ orchestration, number: 2 }));
const later = { orchestration, input: { topic: 'Ink.' }, stickyKey: 'anna', delayMs: 3600000 };
const { id: inCanary } = await tell('in the canary', client.execution.start.mutate(later));
await client.execution.cancel.mutate({ execution: inCanary });
await untilFinished(inCanary);
await tell('orchestration.versions', client.orchestration.versions.query({ orchestration }));
await tell('between versions', client.orchestration.diff.query({ orchestration, from: 2, to: 1 }));
const narrower = { changes: { input: { ...schema, required: ['topic', 'tone'] } } };
await tell('breaking', client.orchestration.update.mutate({ orchestration, ...narrower }));
await client.orchestration.activate.mutate({ orchestration, number: 2 });

await tell('budget.set', client.budget.set.mutate({ orchestration, usdPerDay: '5.00', tokensPerDay: 1000000 }));
await tell('budget.get', client.budget.get.query({ orchestration }));
await tell('budget.list', client.budget.list.query());
await tell('no budget', client.budget.set.mutate({ orchestration }));

const input = { topic: 'Tea is a drink. Tea is made from leaves. Water is boiled for it.' };
const { id: execution } = await tell('execution.start', client.execution.start.mutate({ orchestration, input, idempotencyKey: link }));
await untilFinished(execution);
await tell('execution.get', client.execution.get.query({ execution }));
await tell('metrics.summary', client.metrics.summary.query({ by: 'role' }));
await tell('execution.steps', client.execution.steps.query({ execution }));
await tell('execution.follow', followed({ execution }));
await tell('followed on', followed({ execution, after: 3 }));
await tell('execution.list', client.execution.list.query({ orchestration, status: ['completed', 'failed'] }));
const run = () => client.execution.run.mutate({ orchestration, input, idempotencyKey: `run ${link}` }).then(all);
await tell('execution.run', run());
await tell('run again', run());

const { id: again } = await tell('execution.restart', client.execution.restart.mutate({ execution, from: 'Read', input: { topic: 'Ink is wet.' } }));
await untilFinished(again);
await tell('restarted', client.execution.get.query({ execution: again }));
await tell('restarts', client.execution.list.query({ restartOf: execution }));

await client.orchestration.create.mutate({ document: waiting });
const { id: held } = await client.execution.start.mutate({ orchestration: slow });
await tell('execution.pause', client.execution.pause.mutate({ execution: held }));
await tell('execution.resume', client.execution.resume.mutate({ execution: held }));
await tell('execution.cancel', client.execution.cancel.mutate({ execution: held, reason: 'enough' }));
await untilFinished(held);
await tell('cancelled', client.execution.get.query({ execution: held }));
for (const [call, settled] of [
  ['execution.completeStep', { output: 'by hand', reason: 'the folder is closed' }],
  ['execution.skipStep', {}],
]) {
  const { id: retried } = await tell('execution.retry', client.execution.retry.mutate({ execution: held }));
  const settle = client.execution[call.split('.')[1]];
  await tell(call, settle.mutate({ execution: retried, path: 'Fetch', ...settled }));
  await untilFinished(retried);
  await tell(`after ${call}`, client.execution.get.query({ execution: retried }));
  await tell(`steps after ${call}`, client.execution.steps.query({ execution: retried }));
}

await client.orchestration.create.mutate({ document: delivery });
const { id: unpaid } = await client.execution.start.mutate({ orchestration: delivery.name });
const payment = { execution: unpaid, event: 'payment', data: { amount: 35 }, idempotencyKey: 'payment-1' };
await tell('no such event', client.execution.signal.mutate({ execution: unpaid, event: 'paiment' }));
await tell('execution.signal', client.execution.signal.mutate(payment));
await untilFinished(unpaid);
await tell('signalled again', client.execution.signal.mutate(payment));
await tell('another payment', client.execution.signal.mutate({ ...payment, data: { amount: 36 } }));

const { id: another } = await client.execution.start.mutate({ orchestration: slow, delayMs: 3600000, priority: 9 });
const filter = { orchestration: slow, startedAfter: new Date(0).toISOString() };
await tell('execution.pauseMany', client.execution.pauseMany.mutate({ filter }));
await tell('execution.resumeMany', client.execution.resumeMany.mutate({ filter, dryRun: true }));
await tell('execution.cancelMany', client.execution.cancelMany.mutate({ filter, reason: 'enough' }));
await untilFinished(another);
await tell('execution.retryMany', client.execution.retryMany.mutate({ filter }));

const gateway = `gateway-${link.toLowerCase()}`;
const large = `${gateway}/large`;
const key = `Gateway key ${link}`;
const hosts = ['llm.example.com'];
await tell('secret.set', client.secret.set.mutate({ name: key, value: 'sk-1', hosts }));
await tell('secret.rotate', client.secret.rotate.mutate({}));
await tell('secret.list', client.secret.list.query({ after: 'Gateway key ' }));
await tell('provider.create', client.provider.create.mutate({ name: gateway, preset: 'compatible', baseUrl: 'https://llm.example.com/v1', secret: key }));
await tell('no model so far', client.provider.get.query({ provider: gateway }));
await tell('model.create', client.model.create.mutate({ model: large, contextTokens: 128000 }));
await tell('provider.update', client.provider.update.mutate({ provider: gateway, changes: { maxConcurrent: 5 } }));
await tell('provider.get', client.provider.get.query({ provider: gateway }));
await tell('provider.list', client.provider.list.query());
await tell('provider.test', client.provider.test.mutate({ provider: 'offline' }));
await tell('model.setPrice', client.model.setPrice.mutate({ model: large, input: '0.25', output: '1' }));
await tell('model.update', client.model.update.mutate({ model: large, changes: { onlyByName: true } }));
await tell('model.get', client.model.get.query({ model: large }));
await tell('model.list', client.model.list.query());
await tell('model.explain', client.model.explain.query({ role }));
await tell('model.check', client.model.check.mutate({ model: 'offline/extractive' }));
await tell('model.switch', client.model.switch.mutate({ model: 'offline/extractive' }));
await tell('no such model', client.model.switch.mutate({ model: 'offline/extractiv' }));
await client.model.switch.mutate({ model: null });
await tell('secret in use', client.secret.delete.mutate({ secret: key }));
await tell('model.delete', client.model.delete.mutate({ model: large }));
await tell('provider.delete', client.provider.delete.mutate({ provider: gateway }));
await tell('secret.delete', client.secret.delete.mutate({ secret: key }));

const source = `weather-${link.toLowerCase()}`;
await tell('toolSource.create', client.toolSource.create.mutate({ name: source, command: 'weather' }));
await tell('toolSource.refresh', client.toolSource.refresh.mutate({ source }));
await tell('toolSource.get', client.toolSource.get.query({ source }));
await tell('toolSource.list', client.toolSource.list.query({ after: 'weather' }));
await tell('toolSource.approve', client.toolSource.approve.mutate({ source, tools: [] }));
await tell('toolSource.delete', client.toolSource.delete.mutate({ source }));

const visitor = `visitor ${link}`;
await tell('tool.list', client.tool.list.query({ grantedBy: ['files.r*', 'system.*'], effect: 'read' }));
await tell('tool.get', client.tool.get.query({ tool: 'files.read' }));

await tell('token.create', client.token.create.mutate({ name: visitor, scopes: ['roles.read'], expiresInDays: 1 }));
await tell('token.list', client.token.list.query({ after: 'visitor ' }));
await tell('token.revoke', client.token.revoke.mutate({ token: visitor }));

await tell('audit.list', client.audit.list.query({ noun: 'token', limit: 2 }));
const head = await tell('audit.head', client.audit.head.query());
await tell('audit.verify', client.audit.verify.query({ anchors: [{ seq: head.seq, hash: head.hash }] }));

await tell('role in use', client.role.delete.mutate({ role }));
await client.role.create.mutate({ name: `Spare ${link}`, basePrompt: '' });
await tell('role.delete', client.role.delete.mutate({ role: `Spare ${link}` }));
await client.orchestration.create.mutate({ document: { ...reading, name: `Unused ${link}` } });
await tell('orchestration.delete', client.orchestration.delete.mutate({ orchestration: `Unused ${link}` }));

requests = 0;
await Promise.all([
  tell('together: whoami', client.system.whoami.query()),
  tell('together: nobody', client.role.get.query({ role: 'Nobody' })),
  tell('together: mistake', client.role.list.query({ limit: 0 })),
]);
say({ call: 'requests', data: requests });

// What the real client makes of our answers; prints one JSON object, checked by test_client.py.
import { createTRPCClient, httpBatchLink, httpLink, TRPCClientError } from '@trpc/client';

const url = process.env.TRPC_URL;

function told(error) {
  if (!(error instanceof TRPCClientError)) throw error;
  return { message: error.message, code: error.shape?.code, data: error.data };
}

async function use(link) {
  const client = createTRPCClient({ links: [link] });
  const [health, text, pong, changed, nothing, missing] = await Promise.all([
    client.health.query(),
    client.echo.query({ text: 'ä "b" +&%2C' }),
    client.ping.mutate(),
    client.echoMut.mutate({ text: 'x' }),
    client.nothing.query(),
    client.undefined.query(),
  ]);
  const packed = await client.box.pack.mutate({ box: { name: 'b', holds: [{ kind: 'circle', radius: 1 }, null] } });
  const optional = await Promise.all([client.greet.query(), client.greet.query({ from: 'me', loudVoice: undefined })]);
  const errors = await Promise.all(
    [
      client.fail.query(),
      client.limited.query(),
      client.nope.query(),
      client.echo.query({ txet: 'x' }),
    ].map((call) => call.then(() => 'no error', told)),
  );
  return { health, text, pong, changed, nothing, missing: missing === undefined, packed, optional, errors };
}

async function requestsOf(makeLink) {
  const requests = [];
  const counting = async (input, init) => {
    requests.push(`${init.method} ${new URL(input).pathname}`);
    return fetch(input, init);
  };
  const client = createTRPCClient({ links: [makeLink({ url, fetch: counting })] });
  const settled = await Promise.allSettled([client.health.query(), client.fail.query(), client.ping.mutate()]);
  return { requests, settled: settled.map((each) => each.status) };
}

const tooMany = createTRPCClient({ links: [httpBatchLink({ url })] });

console.log(
  JSON.stringify({
    single: await use(httpLink({ url })),
    batch: await use(httpBatchLink({ url })),
    override: await use(httpBatchLink({ url, methodOverride: 'POST' })),
    batched: await requestsOf((options) => httpBatchLink(options)),
    posted: await requestsOf((options) => httpBatchLink({ ...options, methodOverride: 'POST' })),
    wrongKind: await createTRPCClient({ links: [httpBatchLink({ url })] }).ping.query().catch(told),
    token: await createTRPCClient({
      links: [httpLink({ url, headers: { authorization: 'Bearer Ada' } })],
    }).greet.query(),
    expired: await createTRPCClient({
      links: [httpBatchLink({ url, headers: { authorization: 'Bearer expired' } })],
    })
      .health.query()
      .catch(told),
    tooMany: await Promise.all(Array.from({ length: 21 }, () => tooMany.health.query().catch(told))),
    tooLarge: await createTRPCClient({ links: [httpLink({ url })] })
      .echoMut.mutate({ text: 'x'.repeat(2 * 1024 * 1024) })
      .catch(told),
  }),
);

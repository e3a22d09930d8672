// Callers over sockets: a header from Node, connection parameters as from a browser; prints one JSON object.
import WebSocketOfNode from 'ws';

const { ROLECALL_URL: url, ROLECALL_TOKEN: token, CLIENT } = process.env;
const { createTRPCClient, createWSClient, TRPCClientError, wsLink } = await import(CLIENT);

class WithHeader extends WebSocketOfNode {
  constructor(address) {
    super(address, { headers: { authorization: `Bearer ${token}` } });
  }
}

async function use(options, run) {
  const ws = createWSClient({ url: url.replace('http', 'ws'), WebSocket: WebSocketOfNode, ...options });
  const said = await run(createTRPCClient({ links: [wsLink({ client: ws })] }));
  await ws.close();
  return said;
}

const name = (client) => client.system.whoami.query().then((who) => who.name, told);

function told(error) {
  if (!(error instanceof TRPCClientError)) throw error;
  return error.data.code;
}

const role = `By socket of ${CLIENT.replace(/[@/]/g, '')}`;

console.log(
  JSON.stringify({
    header: await use({ WebSocket: WithHeader }, name),
    token: await use({ connectionParams: { token } }, name),
    authorization: await use({ connectionParams: () => ({ authorization: `Bearer ${token}` }) }, name),
    wrong: await use({ connectionParams: { token: `${token}x` } }, name),
    nobody: await use({}, (client) => Promise.all([name(client), client.system.health.query().then((it) => it.status)])),
    written: await use({ connectionParams: { token } }, async (client) => {
      await client.role.create.mutate({ name: role, basePrompt: 'Say yes.' });
      return (await client.role.get.query({ role })).name;
    }),
  }),
);
process.exit(0);

// Follows a subscription for as long as it lives, over however many sockets, and prints what it gets, a line each.
import WebSocketOfNode from 'ws';

const { CLIENT, WS_URL: url } = process.env;
const { createTRPCClient, createWSClient, wsLink } = await import(CLIENT);

const say = (line) => console.log(JSON.stringify(line));
const ws = createWSClient({
  url,
  WebSocket: WebSocketOfNode,
  retryDelayMs: () => 20,
  onOpen: () => say({ opened: true }),
});

createTRPCClient({ links: [wsLink({ client: ws })] }).watched.subscribe(undefined, {
  onData: (item) => say(typeof item === 'string' ? { remark: item } : item),
  onError: (error) => say({ error: error.message }),
  onComplete: () => say({ complete: true }),
});

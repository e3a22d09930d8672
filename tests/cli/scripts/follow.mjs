// Follows an execution with the real client, whatever becomes of the server; prints a line for each thing that it is told.
import { EventSource } from 'eventsource';

import WebSocketOfNode from 'ws';

const { ROLECALL_URL: url, ROLECALL_TOKEN: token, EXECUTION: execution, CLIENT: client, LINK: link } = process.env;
const { createTRPCClient, createWSClient, httpSubscriptionLink, retryLink, wsLink } = await import(client);
const connectionParams = { token };

const say = (line) => console.log(JSON.stringify(line));

// A socket reconnects by itself.
const socket = () =>
  createWSClient({ url: url.replace('http', 'ws'), WebSocket: WebSocketOfNode, connectionParams, retryDelayMs: () => 50 });
const links = {
  events: () => [
    retryLink({ retry: () => true, retryDelayMs: () => 50 }),
    httpSubscriptionLink({ url, EventSource, connectionParams }),
  ],
  socket: () => [wsLink({ client: socket() })],
};
const follower = createTRPCClient({ links: links[link]() });

follower.execution.follow.subscribe(
  { execution },
  {
    onStarted: () => say({ told: 'started' }),
    onData: (item) => say({ told: 'item', item }),
    onError: (error) => say({ told: 'error', message: error.message }),
    onComplete: () => (say({ told: 'complete' }), process.exit(0)),
  },
);

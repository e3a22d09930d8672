// Follows an execution with the real client, whatever becomes of the server; prints a line for each thing that it is told.
import { EventSource } from 'eventsource';

const { ROLECALL_URL: url, ROLECALL_TOKEN: token, EXECUTION: execution, CLIENT: client } = process.env;
const { createTRPCClient, httpSubscriptionLink, retryLink } = await import(client);

const say = (line) => console.log(JSON.stringify(line));

const follower = createTRPCClient({
  links: [
    retryLink({ retry: () => true, retryDelayMs: () => 50 }),
    httpSubscriptionLink({ url, EventSource, connectionParams: { token } }),
  ],
});

follower.execution.follow.subscribe(
  { execution },
  {
    onStarted: () => say({ told: 'started' }),
    onData: (item) => say({ told: 'item', item }),
    onError: (error) => say({ told: 'error', message: error.message }),
    onComplete: () => (say({ told: 'complete' }), process.exit(0)),
  },
);

// What the package makes of streams, by either way that subscriptions travel; prints one JSON object, checked by
// test_streams.py.
import { createRolecallClient, isRolecallError, type RolecallClient } from 'rolecall-client';
import { WebSocket as Socket } from 'ws';

const url = process.env.ROLECALL_URL!;
const token = process.env.ROLECALL_TOKEN!;

type Seen = { ids: string[]; kinds: string[]; error?: string | undefined };

/** What a subscription to an execution brings until it ends. */
function followed(rolecall: RolecallClient, execution: string, after?: number): Promise<Seen> {
  const seen: Seen = { ids: [], kinds: [] };
  return new Promise((resolve) => {
    rolecall.execution.follow.subscribe(
      { execution, after },
      {
        onData: (item) => {
          if (!('data' in item)) return;
          seen.ids.push(item.id);
          seen.kinds.push(item.data.kind);
        },
        onComplete: () => resolve(seen),
        onError: (error) => resolve({ ...seen, error: isRolecallError(error) ? error.data?.code : String(error) }),
      },
    );
  });
}

/** A fetch whose first answer breaks off behind its first event, and how many answers it gave. */
function breaking(): { fetch: typeof fetch; answers: () => number } {
  let answers = 0;
  return {
    answers: () => answers,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      answers += 1;
      if (answers > 1 || response.body === null) return response;
      return new Response(response.body.pipeThrough(cut()), { status: response.status, headers: response.headers });
    },
  };
}

function cut(): TransformStream<Uint8Array, Uint8Array> {
  let text = '';
  return new TransformStream({
    transform: (chunk, controller) => {
      text += new TextDecoder().decode(chunk);
      const end = text.indexOf('\n\n', text.indexOf('id: 1\n'));
      if (!text.includes('id: 1\n') || end < 0) return;
      controller.enqueue(new TextEncoder().encode(`${text.slice(0, end)}\n\nretry: 10\n\n`));
      controller.error(new Error('the line is dead'));
    },
  });
}

const started = async (rolecall: RolecallClient, text: string) =>
  (await rolecall.execution.start.mutate({ orchestration: 'echo it', input: { text } })).id;

async function streamed(rolecall: RolecallClient): Promise<string[]> {
  const kinds: string[] = [];
  const items = await rolecall.execution.run.mutate({ orchestration: 'echo it', input: { text: 'streamed' } });
  for await (const item of items) if (item.type === 'recorded') kinds.push(item.kind);
  return kinds;
}

const sse = createRolecallClient({ url, token });
const ws = createRolecallClient({
  url,
  token: async () => token,
  subscriptions: 'ws',
  WebSocket: Socket as unknown as typeof WebSocket,
});
const { fetch: broken, answers } = breaking();
const resumed = createRolecallClient({ url, token, fetch: (input, init) => (String(input).includes('follow') ? broken : fetch)(input, init) });
const nobody = '00000000-0000-7000-8000-000000000000';

console.log(
  JSON.stringify({
    sse: await followed(sse, await started(sse, 'a')),
    ws: await followed(ws, await started(ws, 'b')),
    rest: { sse: await followed(sse, await started(sse, 'c'), 1), ws: await followed(ws, await started(ws, 'd'), 1) },
    resumed: await followed(resumed, await started(resumed, 'e')),
    answers: answers(),
    nobody: { sse: (await followed(sse, nobody)).error, ws: (await followed(ws, nobody)).error },
    streamed: await streamed(sse),
  }),
);

/** Bodies of HTTP answers that carry JSON-RPC messages, with each message rewritten. Other bodies pass unchanged. */
import { createParser } from 'eventsource-parser';

type Read = (message: unknown) => unknown;

export function readBody(
  contentType: string | null,
  body: AsyncIterable<Uint8Array>,
  read: Read,
): AsyncIterable<Uint8Array> {
  switch (contentType?.split(';')[0]?.trim().toLowerCase()) {
    case 'application/json':
      return readDocument(body, read);
    case 'text/event-stream':
      return readEvents(body, read);
    default:
      return body;
  }
}

async function* readDocument(body: AsyncIterable<Uint8Array>, read: Read): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  yield Buffer.from(rewritten(Buffer.concat(chunks).toString('utf8'), read));
}

async function* readEvents(body: AsyncIterable<Uint8Array>, read: Read): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder();
  let out: string[] = [];
  const parser = createParser({
    onRetry: (retry) => out.push(`retry: ${retry}\n\n`),
    onEvent: ({ id, event, data }) => {
      const lines = rewritten(data, read).split('\n');
      const named = [...(id === undefined ? [] : [`id: ${id}`]), ...(event === undefined ? [] : [`event: ${event}`])];
      out.push(`${[...named, ...lines.map((line) => `data: ${line}`)].join('\n')}\n\n`);
    },
  });
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (out.length > 0) yield Buffer.from(out.join(''));
    out = [];
  }
}

/** What is not JSON passes unchanged: the SDK says what is wrong with it. */
function rewritten(text: string, read: Read): string {
  try {
    return JSON.stringify(read(JSON.parse(text)));
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** Servers that answer MCP requests in every harmful way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { bodyOf, listenHere, type Listening } from '#test/mcp/listening.ts';

export type Hostility =
  | 'endless pages'
  | 'too many tools'
  | 'a page of HTML'
  | 'gigabytes'
  | 'gigabytes of events'
  | 'a slow drip'
  | 'a slow drip of events'
  | 'silence'
  | 'a wrong id'
  | 'no JSON'
  | 'JSON of another kind'
  | 'garbage for events'
  | 'a redirect to another origin'
  | 'a broken connection'
  | 'headers without end';

export interface Hostile extends Listening {
  readonly url: string;
}

interface Asked {
  readonly id: string | number;
  readonly method: string;
}

/**
 * The newer revision's discovery is answered correctly, so that the harmful answer follows, unless every answer is
 * harmful.
 */
export async function startHostile(hostility: Hostility, evil = 'http://127.0.0.1:1/'): Promise<Hostile> {
  const listening = await listenHere((incoming, outgoing) => {
    void answerBadly(hostility, { incoming, outgoing, evil });
  });
  onTestFinished(listening.close);
  return { ...listening, url: `${listening.origin}/mcp` };
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly evil: string;
}

async function answerBadly(hostility: Hostility, { incoming, outgoing, evil }: Exchange): Promise<void> {
  const asked = JSON.parse((await bodyOf(incoming)) || '{}') as Asked;
  if (asked.method === 'server/discover') return result(outgoing, asked, GREETING);
  switch (hostility) {
    case 'endless pages':
      return result(outgoing, asked, { tools: [tool(asked.id)], nextCursor: `after ${asked.id}` });
    case 'too many tools':
      return result(outgoing, asked, { tools: Array.from({ length: 2001 }, (_, index) => tool(index)) });
    case 'a page of HTML':
      return say(outgoing, 'text/html', '<html><body>Please log in</body></html>');
    case 'gigabytes':
      return pour(outgoing, 'application/json', 'x');
    case 'gigabytes of events':
      return pour(outgoing, 'text/event-stream', ': nothing new\n\n');
    case 'a slow drip':
      return drip(outgoing, 'application/json', ' ');
    case 'a slow drip of events':
      return drip(outgoing, 'text/event-stream', ': still here\n\n');
    case 'silence':
      return;
    case 'a wrong id':
      return result(outgoing, { ...asked, id: 4711 }, { tools: [] });
    case 'no JSON':
      return say(outgoing, 'application/json', '{"jsonrpc":');
    case 'JSON of another kind':
      return say(outgoing, 'application/json', '[[[{"hello":"world"}]]]');
    case 'garbage for events':
      return say(outgoing, 'text/event-stream', 'data: {{{{\n\ndata: [1,2\n\nevent: message\ndata: null\n\n');
    case 'a redirect to another origin':
      return void outgoing.writeHead(307, { location: evil }).end();
    case 'a broken connection':
      outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).flushHeaders();
      return void outgoing.destroy();
    case 'headers without end':
      return void outgoing.writeHead(200, { 'content-type': 'application/json', 'x-long': 'x'.repeat(70_000) }).end();
    default:
      hostility satisfies never;
  }
}

const GREETING = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {} },
  serverInfo: { name: 'hostile', version: '1.0.0' },
  ttlMs: 0,
  cacheScope: 'private',
};

const tool = (which: string | number) => ({ name: `tool_${which}`, inputSchema: { type: 'object' } });

function result(outgoing: ServerResponse, { id }: Pick<Asked, 'id'>, told: object): void {
  const answer = { resultType: 'complete', ttlMs: 0, cacheScope: 'private', ...told };
  say(outgoing, 'application/json', JSON.stringify({ jsonrpc: '2.0', id, result: answer }));
}

function say(outgoing: ServerResponse, type: string, body: string): void {
  outgoing.writeHead(200, { 'content-type': type }).end(body);
}

/** Sends as fast as the client reads, until the client closes the connection. */
function pour(outgoing: ServerResponse, type: string, drop: string): void {
  const wave = drop.repeat(65_536);
  const flow = () => {
    while (!outgoing.destroyed && outgoing.write(wave));
  };
  outgoing.writeHead(200, { 'content-type': type });
  outgoing.on('drain', flow);
  flow();
}

/** Sends a little again and again, and never ends. */
function drip(outgoing: ServerResponse, type: string, drop: string): void {
  outgoing.writeHead(200, { 'content-type': type });
  const timer = setInterval(() => outgoing.write(drop), 5);
  outgoing.on('close', () => clearInterval(timer));
}

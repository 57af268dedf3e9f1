/** The function web-fetch as it is deployed, with its bundle, settings and rights, invoked as the run does. */
import { engineClient } from '#test/runtime/engine-client.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventId, SessionId, ThreadId } from '#contract/ids.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { createStamp } from '#aws/stamp.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { startRuntime, type Runtime } from '#infra/local/runtime.ts';
import { answer, toolUse } from '#test/functions/core/given.ts';
import { stackAssembly } from '#test/infra/synthesized.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';

const HERE = '127.0.0.1';
const PAGE =
  '<html><head><title>Wiki</title></head><body><h1>Welcome</h1><p>Ask <a href="/bob">Bob</a>.</p></body></html>';

let data: string;
let runtime: Runtime;
let wiki: Server;
let client: Anthropic;

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'brainstem-web-'));
  wiki = createServer((request, response) => {
    if (request.url === '/large') return response.end('漢'.repeat(400_000));
    if (request.url === '/away') return response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    response.setHeader('content-type', 'text/html').end(PAGE);
  });
  await new Promise<void>((resolve) => wiki.listen(0, HERE, resolve));
  // The entry with which a customer allows a wiki in the company's network.
  const cdkOut = stackAssembly({ webFetch: { allow: [{ host: HERE, cidr: `${HERE}/32`, http: true }] } });
  const model = { baseUrl: `http://${HERE}:9`, apiKey: 'sk-test' };
  runtime = await startRuntime({ cdkOut, data, port: 0, sandbox: 'process', model });
  client = new Anthropic({ baseURL: runtime.baseUrl, apiKey: runtime.apiKey });
});

afterAll(async () => {
  await runtime.close();
  wiki.close();
  rmSync(data, { recursive: true, force: true });
});

const part = () => {
  const [machine] = runtime.template.machines;
  const lambda = runtime.template.functions.find(
    ({ environment }) => environment['POWERTOOLS_SERVICE_NAME'] === 'web-fetch',
  );
  if (machine === undefined || lambda === undefined) throw new Error('the template has no machine or no web-fetch');
  return { machine, lambda };
};

/** A session in which the model has called web_fetch. The entries are appended directly, without a model. */
async function asking(url: string) {
  const agent = await client.beta.agents.create({ name: 'Ada', model: 'claude-opus-5' });
  const environment = await client.beta.environments.create({ name: 'lab' });
  const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  const key = { session: SessionId.parse(session.id), thread: ThreadId.parse(session.id.replace(/^sesn_/, 'sthr_')) };
  const { environment: settings } = part().lambda;
  const log = createSessionLog({
    dynamodb: engineClient(runtime),
    logTable: settings['LOG_TABLE'] ?? '',
    recordsTable: settings['RECORDS_TABLE'] ?? '',
    content: { put: () => Promise.reject(new Error('too large')), get: () => Promise.reject(new Error('too large')) },
    newName: randomUUID,
  });
  const request = EventId.parse('sevt_request');
  const blocks = [toolUse('toolu_1', 'web_fetch', { url })];
  const commands: readonly Command[] = [
    { do: 'send', events: [{ type: 'user.message', content: [{ type: 'text', text: 'go' }] }] },
    { do: 'claim', request, taken: [] },
    {
      do: 'answer',
      request,
      answer: answer({ stopReason: 'tool_use', blocks }),
      rules: new Map([['web_fetch', { kind: 'built-in', policy: 'always_allow' }]]),
      ids: { message: EventId.parse('sevt_message'), thinking: EventId.parse('sevt_thinking') },
      verdicts: new Map(),
      earlier: [],
    },
  ];
  for (const command of commands) {
    const head = await log.head(key);
    if (head === null) throw new Error('the session has no log');
    await change({ log, stamp: createStamp() }, key, head, command);
  }
  const [call] = (await log.head(key))?.state.calls ?? [];
  if (call === undefined) throw new Error('the model made no call');
  return { ...key, call };
}

/** Invokes the function with the state machine's rights, and returns the session's events afterwards. */
async function invoked(input: Awaited<ReturnType<typeof asking>>) {
  const { machine, lambda } = part();
  const caller = { functionName: machine.name, roleArn: machine.roleArn, worker: 'run' };
  const { endpoint } = runtime.aws;
  const { region } = runtime.template;
  const invoker = new LambdaClient({ endpoint: endpoint.url, region, credentials: endpoint.credentialsFor(caller) });
  const reply = await invoker.send(new InvokeCommand({ FunctionName: lambda.arn, Payload: JSON.stringify(input) }));
  expect(Buffer.from(reply.Payload ?? []).toString()).toBe('null');
  const events: Event[] = [];
  for await (const event of client.beta.sessions.events.list(input.session)) events.push(event);
  return ofType(events, 'agent.tool_result').map((event) => ({ text: textOf(event), isError: event.is_error }));
}

const wikiAt = (path: string) => `http://${HERE}:${(wiki.address() as AddressInfo).port}${path}`;

it('web-fetch reads a page of a server that the customer allows, once', async () => {
  const input = await asking(wikiAt('/'));
  const read = { text: `Title: Wiki\n\n# Welcome\n\nAsk [Bob](${wikiAt('/bob')}).`, isError: false };
  expect(await invoked(input)).toEqual([read]);
  expect(await invoked(input)).toEqual([read]);
});

it('web-fetch stores a page that is too large for the log beside it', async () => {
  const [result] = await invoked(await asking(wikiAt('/large')));
  expect(result?.text).toContain('(cut: the first 100000 of 400000 characters)');
});

it.each([
  ['instance metadata', 'http://169.254.169.254/latest/meta-data/', 'url_not_allowed: 169.254.169.254 may be reached'],
  [
    'the runtime’s own API',
    'https://127.0.0.2:9001/2018-06-01/runtime',
    'url_not_allowed: 127.0.0.2 is a loopback address',
  ],
  ['a name of this machine', 'https://localhost/', 'url_not_allowed: localhost is not a name of the public internet'],
])('web-fetch tells the model that it does not read %s', async (_what, url, text) => {
  expect(await invoked(await asking(url))).toEqual([{ text: expect.stringContaining(text), isError: true }]);
});

it('web-fetch does not follow a redirect of an allowed server to a forbidden address', async () => {
  const [result] = await invoked(await asking(wikiAt('/away')));
  expect(result?.text).toBe('url_not_allowed: 169.254.169.254 may be reached over https only');
});

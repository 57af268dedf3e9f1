/** The stack in an independent AWS emulator: deployed by the CLI, then used through the official SDK. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSessionEvent } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { ListTablesCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, describe, expect, it } from 'vitest';
import { MODEL_KEY, startDeployed, type Deployed } from './deployed.ts';
import { logLines } from './log-lines.ts';
import { installPython } from './python.ts';
import { say } from './run.ts';
import { startSandbox } from './sandbox.ts';

/**
 * A text in the user's message, the system prompt, the answer and a tool result. It may be in the session's log only.
 */
const CANARY = 'canary-7f3a91';
/** Less than the minute after which sweep would repair a lost start. */
const IDLE_WITHIN_MS = 30_000;

const installed = await installPython('ministack').catch(
  (cause: unknown) => new Error('MiniStack is not installed', { cause }),
);
if (installed === false)
  say('SKIPPED: the deployment test needs MiniStack from PyPI, and PyPI is out of reach from here');

describe.skipIf(installed === false)('the deployed service', () => {
  let deployed: Deployed | undefined;
  let session = '';
  const service = (): Deployed => {
    if (deployed === undefined) throw new Error('There is no deployment to test');
    return deployed;
  };
  afterAll(async () => {
    say('stopping what was started');
    await deployed?.close();
  });

  /** MiniStack's API Gateway does not stream, so the test lists the session's events until it is idle. */
  async function converse(text: string): Promise<readonly BetaManagedAgentsSessionEvent[]> {
    const before = new Set((await eventsSoFar()).map((event) => event.id));
    await service().client.beta.sessions.events.send(session, {
      events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
    });
    const deadline = Date.now() + IDLE_WITHIN_MS;
    while (Date.now() < deadline) {
      const seen = (await eventsSoFar()).filter((event) => !before.has(event.id));
      if (seen.some((event) => event.type === 'session.status_idle')) return seen;
      await sleep(200);
    }
    const lines = (await logLines(service())).slice(-20).join('\n');
    throw new Error(`The session ${session} was not idle after ${IDLE_WITHIN_MS} ms. The logs end with:\n${lines}`);
  }

  async function eventsSoFar(): Promise<readonly BetaManagedAgentsSessionEvent[]> {
    const events: BetaManagedAgentsSessionEvent[] = [];
    for await (const event of service().client.beta.sessions.events.list(session)) events.push(event);
    return events;
  }

  it('is deployed by cdk bootstrap and cdk deploy', async () => {
    // An error that is thrown here is a failed test. Outside of a test it would be a file without tests.
    if (installed instanceof Error) throw installed;
    deployed = await startDeployed();
    expect(deployed.outputs['BaseUrl']).toMatch(/^https:\/\/\w+\.execute-api\.us-east-1\.amazonaws\.com\/prod$/);
    say('deployed');
  });

  it('accepts its first API key, which only the custom resource can have stored, and no other key', async () => {
    expect((await service().client.beta.agents.list()).data).toEqual([]);
    const stranger = new Anthropic({ baseURL: service().baseUrl, apiKey: 'wrong', maxRetries: 0 });
    await expect(stranger.beta.agents.list()).rejects.toMatchObject({ status: 401, type: 'authentication_error' });
  });

  it('answers in a session until it is idle', async () => {
    const { client, model } = service();
    model.script(() => ({ text: `Hello, ${CANARY}.` }));
    const agent = await client.beta.agents.create({
      name: 'deployed',
      model: 'claude-opus-5',
      system: `Be brief, ${CANARY}.`,
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    const environment = await client.beta.environments.create({ name: 'deployed' });
    ({ id: session } = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id }));
    say(`first message in ${session}`);
    const seen = await converse(`Say hello, ${CANARY}.`);
    expect(textsOf(seen)).toEqual([`Hello, ${CANARY}.`]);
    expect(JSON.stringify(model.requests[0]?.request)).toContain(`Say hello, ${CANARY}.`);
    expect(model.requests[0]?.headers.authorization).toBe(`Bearer ${MODEL_KEY}`);
    expect(model.refusals).toEqual([]);
  });

  it('uses the hands through the state machine', async () => {
    const { model, dynamodb, assembly, folder } = service();
    const server = join(assembly, 'bundles/sandbox/server.mjs');
    const recordsTable = await recordsTableOf(service());
    const sandbox = await startSandbox({ dynamodb, recordsTable, session, server, folder });
    try {
      const calls = [1, 2].map((n) => ({ name: 'bash', input: { command: `echo ${CANARY}-${n} | tee ${n}.txt` } }));
      model.script((_request, index) => (index === 1 ? { tools: calls } : { text: 'Done.' }));
      say('second message, with two tool calls');
      const seen = await converse('Use your tools.');
      const results = seen.filter((event) => event.type === 'agent.tool_result');
      expect(results.map((result) => result.is_error)).toEqual([false, false]);
      expect(textsOf(seen)).toEqual(['Done.']);
      expect(readFileSync(join(sandbox.workdir, '2.txt'), 'utf8')).toBe(`${CANARY}-2\n`);
    } finally {
      await sandbox.stop();
    }
  });

  it('has one succeeded execution for each message, without any text of the conversation', async () => {
    const { stepFunctions } = service();
    const { stateMachines = [] } = await stepFunctions.send(new ListStateMachinesCommand());
    expect(stateMachines).toHaveLength(1);
    const list = new ListExecutionsCommand({ stateMachineArn: stateMachines[0]?.stateMachineArn });
    const { executions = [] } = await stepFunctions.send(list);
    expect(executions.map(({ name, status }) => `${name} ${status}`).toSorted()).toEqual([
      `${session}-1 SUCCEEDED`,
      `${session}-2 SUCCEEDED`,
    ]);
    for (const { executionArn } of executions) {
      const execution = await stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
      const history = await stepFunctions.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }));
      expect(history.events?.length).toBeGreaterThan(5);
      expect(JSON.stringify([execution.input, execution.output, history.events])).not.toContain(CANARY);
    }
  });

  it('logs a line for each turn, tool call and request, without any text of the conversation', async () => {
    const lines = await logLines(service());
    for (const kind of ['turn', 'tool call', 'request']) {
      expect(lines.some((line) => line.includes(`"message":"${kind}"`))).toBe(true);
    }
    expect(lines.filter((line) => line.includes(CANARY))).toEqual([]);
  });
});

function textsOf(events: readonly BetaManagedAgentsSessionEvent[]): readonly string[] {
  return events
    .filter((event) => event.type === 'agent.message')
    .map(({ content }) => content.map((block) => ('text' in block ? block.text : '')).join(''));
}

/** Of the session tables, the stack's outputs name only the log. */
async function recordsTableOf({ dynamodb }: Deployed): Promise<string> {
  const { TableNames = [] } = await dynamodb.send(new ListTablesCommand());
  const table = TableNames.find((name) => name.includes('RecordsTable'));
  if (table === undefined) throw new Error(`A table of records was expected: ${TableNames.join()}`);
  return table;
}

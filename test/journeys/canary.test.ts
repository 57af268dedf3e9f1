/** Texts of users, prompts and command outputs are in the log and nowhere else. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storedItems } from '#test/faults/stored-log.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

const CANARY = 'canary-7f3a91';

describe('a canary text in a message, a system prompt and a tool output', () => {
  let service: Service;
  let session: string;
  const errors: string[] = [];
  const results: string[] = [];
  beforeAll(async () => {
    service = await startService();
    const { agents, environments, sessions } = service.client.beta;
    const agent = await agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      system: `system ${CANARY}`,
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    const environment = await environments.create({ name: 'lab' });
    const { id } = await sessions.create({ agent: agent.id, environment_id: environment.id });
    session = id;

    service.standIn.script(calling(bash(`echo ${CANARY}`), bash(`echo ${CANARY} >&2; exit 1`)));
    const seen = await service.converse(id, `message ${CANARY}`);
    results.push(...ofType(seen, 'agent.tool_result').map(textOf));

    // The failing paths too: a provider that quotes the request, a function that dies, an invalid request.
    service.standIn.script(() => ({
      error: { status: 400, type: 'invalid_request_error', message: `bad input: ${CANARY}` },
    }));
    await service.converse(id, `again ${CANARY}`);
    service.standIn.script(calling(bash(`echo ${CANARY}`)));
    const killed = service.runtime.faults.killDuring({ function: 'harness', call: 2, phase: 'after' });
    await service.send(id, `once more ${CANARY}`);
    await killed;
    await service.idle(id);
    await wrong(`/v1/sessions/${id}/events`, { events: [{ type: 'user.message', content: CANARY }] });
    await wrong(`/v1/sessions/${id}/events`, { events: [{ type: CANARY, [CANARY]: CANARY }] });
    await wrong('/v1/agents', `{"name": "${CANARY}`);
    await wrong('/v1/agents', { name: CANARY, model: { id: CANARY, effort: CANARY } });
    await wrong(`/v1/sessions/sesn_${CANARY}/events`, {});
  });
  afterAll(async () => service.close());

  async function wrong(path: string, body: unknown): Promise<void> {
    const response = await fetch(`${service.runtime.baseUrl}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.runtime.apiKey}`, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    errors.push(await response.text());
  }

  it('reached the commands and came back', () => {
    expect(results.map((text) => text.includes(CANARY))).toEqual([true, true]);
  });

  it('is in no log line', () => {
    const folder = join(service.data, 'logs');
    const files = readdirSync(folder);
    expect(files).toEqual(expect.arrayContaining(['api.log', 'harness.log', 'execute.log']));
    const holding = files.filter((file) => readFileSync(join(folder, file), 'utf8').includes(CANARY));
    expect(holding).toEqual([]);
  });

  it('is in no input or output of the state machine', () => {
    const { stepFunctions } = service.runtime.aws;
    const [machine] = service.runtime.template.machines;
    const executions = stepFunctions.executions(machine?.arn ?? '');
    expect(executions.filter(({ name }) => name.startsWith(session)).length).toBeGreaterThanOrEqual(3);
    const histories = executions.map((execution) => JSON.stringify(stepFunctions.history(execution.arn)));
    expect(histories.join('').length).toBeGreaterThan(1000);
    expect(JSON.stringify([executions, histories])).not.toContain(CANARY);
    expect(readFileSync(join(service.data, 'executions.jsonl'), 'utf8')).not.toContain(CANARY);
  });

  it('is in no body of an error response', () => {
    expect(errors).toHaveLength(5);
    expect(errors.filter((body) => body.includes(CANARY))).toEqual([]);
  });

  it('comes with log lines for each turn, tool call and request, which name ids that belong together', () => {
    const linesOf = (name: string) =>
      readFileSync(join(service.data, 'logs', `${name}.log`), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        // Earlier files may have used the same runtime.
        .filter((line) => line['session'] === session);
    const turn = linesOf('harness').find((line) => line['message'] === 'turn' && line['outcome'] === 'answered');
    expect(turn).toMatchObject({
      run: 1,
      duration_ms: expect.any(Number),
      ttft_ms: expect.any(Number),
      output_tokens: expect.any(Number),
      stop_reason: 'tool_use',
    });
    const call = linesOf('execute').find((line) => line['message'] === 'tool call');
    expect(call).toMatchObject({ call: expect.stringMatching(/^sevt_/), tool: 'bash' });
    const request = linesOf('api').find((line) => line['message'] === 'request');
    expect(request).toMatchObject({ request_id: expect.stringMatching(/^req_/), status: 200, method: 'POST' });
  });

  it('can be traced from a response to its log lines and its execution by ids', async () => {
    const other = await service.session();
    service.standIn.script(() => ({ text: 'ok' }));
    const content = [{ type: 'text' as const, text: 'hi' }];
    const { _request_id: requestId } = await service.client.beta.sessions.events.send(other, {
      events: [{ type: 'user.message', content }],
    });
    await service.idle(other);
    const items = await storedItems(service, other);
    expect(items.flatMap(({ cause }) => (cause === undefined ? [] : [cause]))).toEqual([requestId]);
    const [machine] = service.runtime.template.machines;
    const names = service.runtime.aws.stepFunctions.executions(machine?.arn ?? '').map((execution) => execution.name);
    expect(names).toContain(`${other}-1`);
  });
});

/** Earlier versions of the official SDK see every event of a turn and of an outcome: each drops frames whose names it does not know. */
import Anthropic104 from 'sdk-0.104';
import Anthropic86 from 'sdk-0.86';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Script } from '#test/model/stand-in.ts';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';

/** The grader is content. */
const satisfied: Script = (request, index) => {
  const isOfGrader = (request.tools ?? []).some((tool) => 'name' in tool && tool.name === 'verdict');
  const input = { result: 'satisfied', explanation: 'It is there.' };
  return isOfGrader ? { tools: [{ name: 'verdict', input }] } : echo(request, index);
};

const MESSAGE = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const OUTCOME = {
  type: 'user.define_outcome',
  description: 'An answer',
  rubric: { type: 'text', content: 'It answers.' },
} as const;

describe('a turn with an outcome, followed by an SDK of the version', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: satisfied });
  });
  afterAll(async () => service.close());

  it.each([
    ['0.86', Anthropic86],
    ['0.104', Anthropic104],
  ] as const)('%s, has all of its events', async (_version, Client) => {
    const client = new Client({ apiKey: service.runtime.apiKey, baseURL: service.runtime.baseUrl, maxRetries: 0 });
    const session = await service.session();
    const stream = await client.beta.sessions.events.stream(session);
    // The older one has no type of an outcome, and passes it on.
    await (client as Anthropic104).beta.sessions.events.send(session, { events: [MESSAGE, OUTCOME] });
    const seen: string[] = [];
    for await (const { type } of stream as AsyncIterable<{ readonly type: string }>) {
      seen.push(type);
      if (type === 'session.status_idle') break;
    }
    const listed = (await service.events(session)).map(({ type }) => type);
    expect(new Set(seen)).toEqual(new Set(listed));
    expect(seen).toContain('session.usage');
    expect(seen).toContain('span.outcome_evaluation_ongoing');
    const { outcome_evaluations } = await (client as Anthropic104).beta.sessions.retrieve(session);
    expect(outcome_evaluations).toMatchObject([{ result: 'satisfied', explanation: 'It is there.' }]);
  });
});

/** Earlier versions of the official SDK see every event of a turn: each drops frames whose names it does not know. */
import Anthropic104 from 'sdk-0.104';
import Anthropic86 from 'sdk-0.86';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';

describe('a turn, followed by an SDK of the version', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => service.close());

  it.each([
    ['0.86', Anthropic86],
    ['0.104', Anthropic104],
  ] as const)('%s, has all of its events', async (_version, Client) => {
    const client = new Client({ apiKey: service.runtime.apiKey, baseURL: service.runtime.baseUrl, maxRetries: 0 });
    const session = await service.session();
    const stream = await client.beta.sessions.events.stream(session);
    await service.send(session, 'hello');
    const seen: string[] = [];
    for await (const { type } of stream as AsyncIterable<{ readonly type: string }>) {
      seen.push(type);
      if (type === 'session.status_idle') break;
    }
    const listed = (await service.events(session)).map(({ type }) => type);
    expect(new Set(seen)).toEqual(new Set(listed));
    expect(seen).toContain('session.usage');
  });
});

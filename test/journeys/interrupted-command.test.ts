import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Script } from '#test/model/stand-in.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, types, type Service } from '#test/journeys/service.ts';

/** A model that runs the given command, and then answers with text. */
const obedient: Script = (request) => {
  const said = lastTexts(request).at(-1) ?? '';
  return said.startsWith('run ') ? { text: '', tools: [bash(said.slice('run '.length))] } : { text: 'Done.' };
};

describe('an interrupt while a command runs', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: obedient });
  });
  afterAll(async () => service.close());

  it('ends the turn at once and the command soon after, so that the next command finds a free shell', async () => {
    const session = await service.session();
    const { events } = service.client.beta.sessions;
    const stream = await events.stream(session);
    await service.send(session, 'run sleep 300');
    const seen = [];
    for await (const event of stream) {
      if (event.type === 'event_start' || event.type === 'event_delta') continue;
      seen.push(event);
      if (event.type === 'span.model_request_end') await events.send(session, { events: [{ type: 'user.interrupt' }] });
      if (event.type === 'session.status_idle') break;
    }
    const [result] = ofType(seen, 'agent.tool_result');
    expect(textOf(result)).toBe('Tool execution was interrupted before completion. Please retry.');
    expect(types(seen).slice(-3)).toEqual(['session.thread_status_idle', 'session.usage', 'session.status_idle']);
    expect(seen.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });

    // A shell runs one command at a time, so this one would wait for the other's 300 seconds.
    const next = await service.converse(session, 'run echo free');
    expect(ofType(next, 'agent.tool_result').map(textOf)).toEqual(['free']);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { habitsOf } from '#core/model/habits.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import type { ModelRequest, Reply } from '#infra/local/model/script.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, types, type Service } from '#test/journeys/service.ts';

/** The usage of an answer that fills the window of the agent's model. */
const FULL = { input_tokens: habitsOf('claude-opus-5').windowTokens - 10_000 };

const sentIn = (request: ModelRequest | undefined) => JSON.stringify(request?.messages);

/** A model that knows only what its context holds: a word from a message or a file, until a summary contains it. */
function remembering(request: ModelRequest): Reply {
  const heard = sentIn(request);
  const word = /the word is (\w+)/.exec(heard)?.[1] ?? 'nothing';
  if (heard.includes('Write it now')) return { text: `Summary: the word is ${word}.` };
  const [last = ''] = lastTexts(request).slice(-1);
  if (last === 'read the file') return { text: 'I read it.', tools: [bash('echo the word is plum')], usage: FULL };
  if (last.startsWith('the word is')) return { text: 'I keep it.', usage: FULL };
  return { text: `The word is ${word}.` };
}

describe('a session that fills the model’s window', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: remembering });
  });
  afterAll(async () => service.close());

  it('is summarised between two messages, and the agent still knows what it was told', async () => {
    const session = await service.session();
    await service.converse(session, 'the word is pear, keep it');
    const seen = await service.converse(session, 'which word?');
    expect(types(seen)).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
      'span.model_request_end',
      'agent.thread_context_compacted',
      'user.message',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(Object.keys(ofType(seen, 'agent.thread_context_compacted')[0] ?? {}).toSorted()).toEqual([
      'id',
      'processed_at',
      'type',
    ]);
    expect(textOf(ofType(seen, 'agent.message')[0])).toBe('The word is pear.');

    const last = service.standIn.requests.at(-1)?.request;
    expect(last?.messages).toHaveLength(1);
    expect(sentIn(last)).toContain('Summary: the word is pear.');
    expect(sentIn(last)).not.toContain('keep it');

    const listed = await expectSound(service, session);
    expect(textOf(ofType(listed, 'user.message')[0])).toContain('keep it');
    expect(types(listed)).toContain('agent.thread_context_compacted');
    expect(JSON.stringify(listed)).not.toContain('Summary:');
  });

  it('is summarised during a turn, and the agent continues that turn', async () => {
    const session = await service.session();
    const seen = await service.converse(session, 'read the file');
    const order = types(seen).filter((type) => type.startsWith('agent.'));
    expect(order).toEqual([
      'agent.message',
      'agent.tool_use',
      'agent.tool_result',
      'agent.thread_context_compacted',
      'agent.message',
    ]);
    expect(textOf(ofType(seen, 'agent.message').at(-1))).toBe('The word is plum.');
    expect(ofType(seen, 'session.status_idle')[0]).toMatchObject({ stop_reason: { type: 'end_turn' } });
    await expectSound(service, session);
    const { usage } = await service.client.beta.sessions.retrieve(session);
    expect(usage.input_tokens).toBeGreaterThan(FULL.input_tokens);
  });

  it('ends the turn when no summary makes room, and takes the next message', async () => {
    const session = await service.session();
    service.standIn.script((request) =>
      sentIn(request).includes('Write it now')
        ? { text: 'Summary.' }
        : { text: 'I look.', tools: [bash('true')], usage: FULL },
    );
    const seen = await service.converse(session, 'loop');
    expect(ofType(seen, 'session.error')).toMatchObject([
      { error: { type: 'compaction_limit_reached_error', retry_status: { type: 'exhausted' } } },
    ]);
    expect(ofType(seen, 'session.status_idle')[0]).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
    service.standIn.script(remembering);
    const next = await service.converse(session, 'which word?');
    expect(textOf(ofType(next, 'agent.message').at(-1))).toBe('The word is nothing.');
    await expectSound(service, session);
  });
});

import { describe, expect, it } from 'vitest';
import { change } from '#core/session/change.ts';
import { closeForDeletion } from '#core/session/close-for-deletion.ts';
import { fold } from '#core/session/evolve.ts';
import { CREATED, KEY, steadyStamp } from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const MESSAGES = [{ type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] }];

function given() {
  const log = memoryLog();
  const head = fold(null, [CREATED]);
  log.create(KEY, head, [CREATED]);
  return { log, head, stamp: steadyStamp() };
}

const types = (log: ReturnType<typeof memoryLog>) =>
  log.entries(KEY).flatMap((entry) => ('event' in entry ? [entry.event.type] : []));

describe('a session that is closed for its deletion', () => {
  it('is terminated, and open streams are told', async () => {
    const { log, head, stamp } = given();
    expect(await closeForDeletion({ log, stamp }, KEY, head)).toMatchObject({ status: 'closed' });
    expect(types(log)).toEqual(['session.thread_status_terminated', 'session.status_terminated', 'session.deleted']);
  });

  it('takes no more messages', async () => {
    const { log, head, stamp } = given();
    await closeForDeletion({ log, stamp }, KEY, head);
    const closed = (await log.head(KEY)) ?? head;
    expect(await change({ log, stamp }, KEY, closed, { do: 'send', events: MESSAGES })).toMatchObject({
      status: 'refused',
    });
  });

  it('is not closed while it runs, also when its run began a moment ago', async () => {
    const { log, head, stamp } = given();
    await change({ log, stamp }, KEY, head, { do: 'send', events: MESSAGES });
    expect(await closeForDeletion({ log, stamp }, KEY, head)).toMatchObject({ status: 'refused' });
    expect(types(log)).not.toContain('session.deleted');
  });

  it('may be closed again', async () => {
    const { log, head, stamp } = given();
    await closeForDeletion({ log, stamp }, KEY, head);
    expect(await closeForDeletion({ log, stamp }, KEY, (await log.head(KEY)) ?? head)).toMatchObject({
      status: 'closed',
    });
  });
});

/** What programs write after the last call of a session. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTENT_LIMITS } from '#contract/hands.ts';
import { stageSandbox } from '#test/functions/core/hands/sandbox-stage.fixture.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

describe('what programs write after the last call', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  it('is stored when the sandbox is idle, and not before', async () => {
    const { sandbox, run, change, harvest, stored, waiting } = await stageSandbox(db, { first: 'true' });
    await run('first');
    writeFileSync(join(sandbox.mnt, 'session/outputs/late.txt'), 'late');
    writeFileSync(join(sandbox.mnt, 'memory/notes/late.md'), 'late');
    await harvest();
    expect(await stored()).toEqual([]);
    sandbox.beIdle();
    await harvest(2);
    expect(await stored()).toEqual([]);
    // Another session's text is a version too.
    writeFileSync(join(sandbox.mnt, 'memory/notes/b.md'), 'mine');
    await change('/b.md', 'theirs');
    await harvest();
    await harvest();
    expect(await stored()).toEqual(['late.txt', 'created /late.md', 'modified /b.md']);
    expect(await waiting()).toMatchObject({ notes: [] });
    await sandbox.close();
    await harvest();
  });

  it('is stored in rounds when it is more than one call hands out', async () => {
    const { sandbox, run, harvest, waiting } = await stageSandbox(db, { first: 'true' });
    await run('first');
    // Files with this name cost least: they are taken, and not stored.
    const fileOf = (index: number) => join(sandbox.mnt, `memory/notes/${index}.other-version`);
    for (let index = 0; index <= CONTENT_LIMITS.changedFiles; index += 1) writeFileSync(fileOf(index), '');
    sandbox.beIdle();
    await harvest();
    expect(await waiting()).toMatchObject({ changes: [] });
    await sandbox.close();
  });

  it('ends a turn without the sandbox that is gone', async () => {
    const { sandbox, run, endTurn, harvestTurn, state } = await stageSandbox(db, {
      first: 'sleep 600 >/dev/null 2>&1 &',
    });
    await run('first');
    await endTurn();
    await sandbox.close();
    await harvestTurn();
    expect(await state()).toMatchObject({ status: 'idle', stopReason: { type: 'end_turn' } });
    expect(await state()).not.toHaveProperty('programsLive');
  });

  it('is stored in rounds at the end of a turn, until only what has a note is left', async () => {
    const { sandbox, run, endTurn, harvestTurn, state, waiting } = await stageSandbox(db, {
      first: 'sleep 600 & true',
    });
    await run('first');
    for (let index = 0; index <= CONTENT_LIMITS.changedFiles; index += 1)
      writeFileSync(join(sandbox.mnt, `memory/notes/${index}.other-version`), '');
    writeFileSync(join(sandbox.mnt, 'memory/notes/d.md'), Buffer.of(0xc3, 0x28));
    await endTurn();
    await harvestTurn();
    expect((await state()).status).toBe('idle');
    expect((await waiting())?.changes).toHaveLength(1);
    await sandbox.close();
  });
});

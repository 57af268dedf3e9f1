import { mainHand } from '#contract/ids.ts';
import { describe, expect, it } from 'vitest';
import type { ChangesKept, ContentChange } from '#contract/hands.ts';
import { takeChanges } from '#core/hands/changes.ts';
import type { ChangeTaker } from '#core/hands/content-source.ts';
import { fold } from '#core/session/evolve.ts';
import { CREATED, KEY, NO_CONTENTS, NO_SOURCES, SANDBOX, steadyStamp } from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const change = (path: string, sha256: string | null = 'a'.repeat(64)): ContentChange => {
  return { path, bytes: 4, sha256, base: null };
};

async function* whole(): AsyncIterable<Uint8Array> {
  yield Buffer.from('text');
}
async function* broken(): AsyncIterable<Uint8Array> {
  yield Buffer.from('te');
  throw new Error('socket hang up');
}

/** A sandbox that tells these changes, and a taker of what is below `/mnt/session/outputs`. */
function stage(
  changes: readonly ContentChange[],
  { notes = [] as string[], take = undefined as ChangeTaker['take'] | undefined } = {},
) {
  const stored: string[] = [];
  const read: string[] = [];
  const kept: string[] = [];
  const told: string[] = [];
  const taker: ChangeTaker = {
    takes: (path) => path.startsWith('/mnt/session/outputs/'),
    take:
      take ??
      (async ({ path }, content) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of content?.body ?? []) pieces.push(piece);
        stored.push(`${path}=${content === null ? 'removed' : Buffer.concat(pieces).toString()}`);
        return path.includes('noted') ? 'a note' : null;
      }),
  };
  const world = {
    log: memoryLog(),
    ...NO_SOURCES,
    stamp: steadyStamp(),
    sandboxClient: {
      ...NO_CONTENTS,
      execute: async () => ({ status: 'unreachable' }) as const,
      cancel: () => undefined,
      changes: async () => ({ changes: [...changes], notes }),
      read: async (_place: object, { path }: ContentChange) => {
        read.push(path);
        if (path.includes('gone')) return null;
        return { bytes: 4, body: path.includes('broken') ? broken() : whole() };
      },
      keep: async (_place: object, now: ChangesKept) => {
        kept.push(...now.kept.map(({ path }) => path));
        told.push(...now.notes);
      },
    },
  };
  const recipient = {
    key: KEY,
    hand: mainHand(KEY.session),
    state: fold(null, [CREATED]).state,
    session: fold(null, [CREATED]).state,
    sandbox: { ...SANDBOX, status: 'ready' as const, task: 't', address: 'sandbox:1', readyAt: SANDBOX.lastUsedAt },
  };
  /** As `execute` does: the sandbox is told when the notes are in the log. */
  const run = async () => {
    const { notes: all, keep } = await takeChanges(world, recipient, [() => taker]);
    expect([kept, told]).toEqual([[], []]);
    await keep();
    return all;
  };
  return { run, stored, read, kept, told };
}

const OUT = '/mnt/session/outputs';

describe('what a call changed', () => {
  it('is stored, removals first, and kept with the sandbox’s notes when they are told', async () => {
    const { run, stored, kept, told } = stage([change(`${OUT}/a`), change(`${OUT}/noted`), change(`${OUT}/r`, null)], {
      notes: ['from the sandbox'],
    });
    expect(await run()).toEqual(['from the sandbox', 'a note']);
    expect(stored).toEqual([`${OUT}/r=removed`, `${OUT}/a=text`, `${OUT}/noted=text`]);
    expect(kept).toEqual([`${OUT}/r`, `${OUT}/a`, `${OUT}/noted`]);
    expect(told).toEqual(['from the sandbox']);
  });

  it('is not kept when its file changes while it is read, and the others are; the model reads which', async () => {
    const { run, stored, kept } = stage([change(`${OUT}/broken`), change(`${OUT}/gone`), change(`${OUT}/a`)]);
    expect(await run()).toEqual([
      expect.stringContaining(`as a whole: "${OUT}/broken", "${OUT}/gone". It is tried again`),
    ]);
    expect(stored).toEqual([`${OUT}/a=text`]);
    expect(kept).toEqual([`${OUT}/a`]);
  });

  it('is not kept when it cannot be stored: the attempt fails, and the next one is told it again', async () => {
    const take = () => Promise.reject(new Error('the bucket failed'));
    const { run, kept } = stage([change(`${OUT}/a`)], { take });
    await expect(run()).rejects.toThrow('the bucket failed');
    expect(kept).toEqual([]);
  });

  it('is not read when its taker refuses it, or when it belongs to none', async () => {
    const { run, read, kept } = stage([change(`${OUT}/a`), change('/mnt/memory/x/a')], {
      take: async () => 'too large',
    });
    expect(await run()).toEqual(['too large']);
    expect(read).toEqual([]);
    expect(kept).toEqual([`${OUT}/a`, '/mnt/memory/x/a']);
  });
});

import { expect, it, describe } from 'vitest';
import { handOver } from '#core/hands/hand-over.ts';
import type { Delivered, ReservedSandbox, SandboxRecords } from '#core/ports/sandboxes.ts';
import { KEY, NOW } from '#test/functions/core/given.ts';

const READY: Extract<ReservedSandbox, { status: 'ready' }> = {
  status: 'ready',
  generation: 3,
  token: 't',
  task: 'task',
  address: 'sandbox:1',
  readyAt: NOW,
  lastUsedAt: NOW,
  packages: { apt: [], cargo: [], gem: [], go: [], npm: ['left-pad'], pip: [] },
  archive: 'a'.repeat(64),
};

function stage(status: Delivered['status']) {
  const lost: number[] = [];
  const delivered: string[] = [];
  const sandboxes = { lost: async (_session: string, generation: number) => void lost.push(generation) };
  const delivery = {
    async deliver(_place: object, archive: string) {
      delivered.push(archive);
      return { status };
    },
  };
  return { lost, delivered, world: { sandboxes: sandboxes as unknown as SandboxRecords, delivery } };
}

describe('a sandbox that waits for its packages', () => {
  it.each(['delivered', 'interrupted'] as const)('is asked again after its archive was %s', async (status) => {
    const { world, lost, delivered } = stage(status);
    expect(await handOver(world, KEY.session, READY)).toBeNull();
    expect(delivered).toEqual([READY.archive]);
    expect(lost).toEqual([]);
  });

  it.each(['missing', 'refused'] as const)(
    'is ended when its archive is %s, and the model reads the reason',
    async (status) => {
      const { world, lost } = stage(status);
      expect(await handOver(world, KEY.session, READY)).toContain('This call had no effect.');
      expect(lost).toEqual([3]);
    },
  );

  it('is ended when its record knows no archive', async () => {
    const { world, lost, delivered } = stage('delivered');
    expect(await handOver(world, KEY.session, { ...READY, archive: null })).not.toBeNull();
    expect({ lost, delivered }).toEqual({ lost: [3], delivered: [] });
  });
});

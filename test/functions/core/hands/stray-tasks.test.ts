import { describe, expect, it } from 'vitest';
import { mainHand, SessionId } from '#contract/ids.ts';
import { judgeTask, sandboxOf } from '#core/hands/stray-tasks.ts';
import type { ClusterTask, SandboxRecord } from '#core/ports/sandboxes.ts';
import { later } from '#core/ports/stamp.ts';
import { NOW } from '#test/functions/core/given.ts';

const MINUTE = 60_000;
const SESSION = SessionId.parse('sesn_1');
const maxAgeMs = 60 * MINUTE;
const TASK = 'arn:aws:ecs:us-east-1:123456789012:task/Hands/1';
const taskOf = (startedBy: string, ageMs = MINUTE): ClusterTask => ({
  task: TASK,
  startedBy,
  createdAt: later(NOW, -ageMs),
});
const common = { generation: 3, token: 't', lastUsedAt: NOW, packages: null, archive: null };
const start = { attempt: 1, since: NOW, notBefore: NOW, watcher: 'w' };
const READY: SandboxRecord = { ...common, status: 'ready', task: TASK, address: '10.0.0.1:8080', readyAt: NOW };
const STARTING: SandboxRecord = { ...common, ...start, status: 'starting', watchedUntil: NOW };

const verdict = (task: ClusterTask, record: SandboxRecord | null) => {
  const judged = judgeTask(task, record, { now: NOW, maxAgeMs, idleMs: 5 * MINUTE });
  return judged.status === 'stray' ? judged.why : judged.status;
};

describe('a task of the cluster', () => {
  it.each<[string, string, SandboxRecord | null, string]>([
    ['is its session’s sandbox', 'sesn_1/3', READY, 'needed'],
    ['was used five minutes ago', 'sesn_1/3', { ...READY, lastUsedAt: later(NOW, -5 * MINUTE) }, 'needed'],
    ['was not used for longer', 'sesn_1/3', { ...READY, lastUsedAt: later(NOW, -5 * MINUTE - 1) }, 'idle'],
    [
      'is of an earlier generation than the idle one',
      'sesn_1/2',
      { ...READY, lastUsedAt: later(NOW, -9 * MINUTE) },
      'no owner',
    ],
    ['is starting', 'sesn_1/3', STARTING, 'needed'],
    ['is of a session that was deleted', 'sesn_1/3', null, 'no owner'],
    ['is of an earlier generation', 'sesn_1/2', READY, 'no owner'],
    ['is of an earlier attempt', 'sesn_1/2', STARTING, 'no owner'],
    ['was lost', 'sesn_1/3', { ...common, status: 'lost', task: TASK }, 'no owner'],
    ['was given up', 'sesn_1/3', { ...common, status: 'failed', reason: '', retryAt: NOW }, 'no owner'],
    ['is a second task of its generation', 'sesn_1/3', { ...READY, task: 'arn:other' }, 'no owner'],
    ['was left by its starter', 'sesn_1/3', { ...STARTING, watchedUntil: later(NOW, -2 * MINUTE) }, 'no owner'],
    ['waits for a starter to take over', 'sesn_1/3', { ...STARTING, watchedUntil: later(NOW, -30_000) }, 'needed'],
    ['is of a session that has only planned one', 'sesn_1/1', planned(), 'no owner'],
    ['was started by hand', 'ecs-exec-debugging', null, 'no owner'],
    ['has no starter', '', null, 'no owner'],
    ['is a build', 'packages/0a1b', null, 'needed'],
  ])('that %s', (_what, startedBy, record, expected) => {
    expect(verdict(taskOf(startedBy), record)).toBe(expected);
  });

  it.each<[string, SandboxRecord | null, number, string]>([
    ['sesn_1/3', READY, maxAgeMs, 'needed'],
    ['sesn_1/3', READY, maxAgeMs + 1, 'too old'],
    ['packages/0a1b', null, 29 * MINUTE, 'needed'],
    ['packages/0a1b', null, 31 * MINUTE, 'too old'],
  ])('%s (%o) of %i ms is %s', (startedBy, record, ageMs, expected) => {
    expect(verdict(taskOf(startedBy, ageMs), record)).toBe(expected);
  });

  it('names its hand and generation', () => {
    expect(sandboxOf(taskOf('sesn_1/12'))).toEqual({ hand: mainHand(SESSION), generation: 12 });
    expect(sandboxOf(taskOf('sesn_1/sthr_2/3'))).toEqual({ hand: { session: SESSION, hand: 'sthr_2' }, generation: 3 });
    const others = [
      '',
      'sesn_1',
      'sesn_1/',
      'sesn_1/x',
      'packages/12',
      'sesn_1//2',
      'sesn_1/a b/2',
      'sesn_1/a/b/2',
      'other/1',
    ];
    for (const other of others) {
      expect(sandboxOf(taskOf(other))).toBeNull();
    }
  });
});

function planned(): SandboxRecord {
  return { status: 'planned', generation: 0, packages: { apt: [], cargo: [], gem: [], go: [], npm: ['a'], pip: [] } };
}

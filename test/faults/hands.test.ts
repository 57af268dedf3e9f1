/** Functions and sandboxes die while a command runs. The command runs once, and the session finishes. */
import { readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from '#test/faults/stored-log.ts';
import { marking } from '#test/faults/side-effect.ts';
import { propertyRuns } from '#test/property-runs.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, resultsInOrder, startService, textOf, type Service } from '#test/journeys/service.ts';

const SLOW_MARK = 'touch started; sleep 1; echo x >> f';

describe('a running command', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: marking(SLOW_MARK) });
  });
  afterAll(async () => service.close());

  async function untilCommandRuns(known: ReadonlySet<string>): Promise<void> {
    for (;;) {
      const fresh = tasks().filter((task) => !known.has(task));
      if (fresh.some((task) => existsSync(join(service.data, 'tasks', task, 'workspace/started')))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const tasks = () => (existsSync(join(service.data, 'tasks')) ? readdirSync(join(service.data, 'tasks')) : []);

  async function begin(): Promise<string> {
    const session = await service.session();
    const known = new Set(tasks());
    await service.send(session, 'mark');
    await untilCommandRuns(known);
    return session;
  }

  it('is joined by the next attempt when execute is killed', async () => {
    const session = await begin();
    expect(await service.runtime.faults.kill('execute')).toBeGreaterThan(0);
    await service.idle(session);
    const events = await expectSound(service, session);
    expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('marks: 1');
  });

  it('ends before the next call of its answer begins when execute is killed', async () => {
    service.standIn.script(calling(bash(SLOW_MARK), bash('echo "marks: $(wc -l < f)"')));
    const session = await begin();
    expect(await service.runtime.faults.kill('execute')).toBeGreaterThan(0);
    await service.idle(session);
    service.standIn.script(marking(SLOW_MARK));
    expect(resultsInOrder(await expectSound(service, session))).toEqual(['(no output)', 'marks: 1']);
  });

  it.each(['before', 'after'] as const)('has one result when execute is killed %s its append', async (phase) => {
    const session = await begin();
    await service.runtime.faults.killDuring({ function: 'execute', of: 'dynamodb:PutItem', call: 1, phase });
    await service.idle(session);
    const events = await expectSound(service, session);
    expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('marks: 1');
  });

  it('is reported as lost when the sandbox is killed, and the next call gets a new sandbox', async () => {
    const session = await begin();
    expect(await service.runtime.faults.loseSandbox()).toBeGreaterThan(0);
    await service.idle(session);
    const events = await expectSound(service, session);
    const [lost, next] = ofType(events, 'agent.tool_result');
    expect(lost).toMatchObject({ is_error: true });
    expect(textOf(lost)).toContain('sandbox stopped');
    // The new sandbox has no file f, so the command was not repeated in it.
    expect(textOf(next)).toContain('0');
  });

  it('runs in the task that a killed provision has started', async () => {
    const session = await service.session();
    const killed = service.runtime.faults.killDuring({ function: 'provision', call: 3, phase: 'after' });
    await service.send(session, 'mark');
    await killed;
    await service.idle(session);
    const events = await expectSound(service, session);
    expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('marks: 1');
  });

  // The pauses between the attempts take 45 seconds, so the short form of the tests leaves it to those of provisioning.
  it.each(propertyRuns(4) === 4 ? [5] : [])(
    'is told to the model as not made when no sandbox starts in %i attempts, and the next call gets one',
    async (attempts) => {
      const { faults } = service.runtime;
      const session = await service.session();
      faults.disarm();
      faults.throttle('ecs:RunTask', 1000);
      const script = marking();
      let asked = 0;
      service.standIn.script((request, index) => {
        if ((asked += 1) === 2) faults.throttle('ecs:RunTask', 0);
        return script(request, index);
      });
      await service.send(session, 'mark');
      await service.idle(session);
      const started = faults.trace().filter(({ call }) => call === 'ecs:RunTask');
      const events = await expectSound(service, session);
      const [refused, next] = ofType(events, 'agent.tool_result');
      expect(refused).toMatchObject({ is_error: true });
      expect(textOf(refused)).toContain(`could not be started. ${attempts} attempts`);
      expect(textOf(next)).toContain('0');
      // The SDK repeats a throttled request twice, and a process that takes over from a slow one asks again.
      expect(started.length).toBeLessThan(2 * attempts * 3);
    },
  );
});

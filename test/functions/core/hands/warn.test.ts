import { expect, it } from 'vitest';
import type { SandboxVariable } from '#contract/egress.ts';
import { eventIn } from '#contract/entries.ts';
import { SessionErrorBody } from '#contract/events.ts';
import { CredentialId, VaultId } from '#contract/ids.ts';
import { unreachableErrors } from '#core/egress/variables.ts';
import { warn } from '#core/hands/warn.ts';
import { fold } from '#core/session/evolve.ts';
import type { SessionLog } from '#core/ports/session-log.ts';
import { CREATED, KEY, given, send, steadyStamp } from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const variable = (name: string, isReachable = false): SandboxVariable => ({
  ...{ name, vault: VaultId.parse('vlt_1'), credential: CredentialId.parse(`vcrd_${name}`) },
  ...(isReachable ? {} : { unreachable: true }),
});
const errors = unreachableErrors([variable('ONE'), variable('OPEN', true), variable('TWO')]);

function stage() {
  const { entries } = given([CREATED]).when(send('hi'));
  const log = memoryLog();
  log.create(KEY, fold(null, entries), entries);
  let reads = 0;
  const counted: SessionLog = {
    ...log,
    head: (key) => {
      reads += 1;
      return log.head(key);
    },
  };
  const told = () =>
    log.entries(KEY).flatMap((entry) => {
      const event = eventIn(entry);
      return event?.type === 'session.error' && 'credential_id' in event.error ? [event.error.credential_id] : [];
    });
  const state = async () => (await log.head(KEY))?.state ?? expect.fail('no log');
  const world = { log: counted, stamp: steadyStamp(100) };
  return { world, told, state, reads: () => reads };
}

it('a lack of the sandbox is told once in a session, also when several calls find it at once', async () => {
  const { world, told, state } = stage();
  const before = await state();
  await Promise.all([1, 2, 3].map(() => warn(world, { session: KEY.session, state: before }, errors)));
  expect(told()).toEqual(['vcrd_ONE', 'vcrd_TWO']);
  await warn(
    world,
    { session: KEY.session, state: await state() },
    unreachableErrors([variable('ONE'), variable('NEW')]),
  );
  expect(told()).toEqual(['vcrd_ONE', 'vcrd_TWO', 'vcrd_NEW']);
  expect((await state()).status).toBe('running');
});

it('nothing is read when there is nothing to tell', async () => {
  const { world, told, state, reads } = stage();
  await warn(world, { session: KEY.session, state: await state() }, unreachableErrors([variable('OPEN', true)]));
  await warn(world, { session: KEY.session, state: await state() }, []);
  expect([told(), reads()]).toEqual([[], 0]);
  await warn(world, { session: KEY.session, state: await state() }, errors);
  const after = reads();
  await warn(world, { session: KEY.session, state: await state() }, errors);
  expect(reads()).toBe(after);
});

it('the error is the API’s, and names variable and rule', () => {
  for (const error of errors) expect(SessionErrorBody.parse(error)).toEqual(error);
  expect(errors[0]).toMatchObject({
    type: 'credential_host_unreachable_error',
    ...{ credential_id: 'vcrd_ONE', vault_id: 'vlt_1', retry_status: { type: 'retrying' } },
    message: expect.stringMatching(/variable ONE reaches no host: .*environment allows none/),
  });
});

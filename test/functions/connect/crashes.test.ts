import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import { createConnectApp } from '../../../functions/connect/app.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { newToken } from '#aws/stamp.ts';
import { endPendingCredentials } from '../../../functions/sweep/end-pending-credentials.ts';
import { sample } from '#test/property-runs.ts';
import { createBrowser } from './browser.ts';
import { BASE_URL, startFlow, waitingCall, WORKSPACE, type Flow } from './flow.ts';

/** The steps that follow an approval, in their order. */
const STEPS_OF_KEEPING = [
  'credentials.announce',
  'audit.record',
  'connections.storing',
  'secrets.write',
  'credentials.create',
  'connections.complete',
  'resume',
  'connections.resumed',
  'connections.settled',
] as const;

/** The steps that take the answer of the authorization server, in their order. */
const STEPS = ['connections.take', 'clients.secretOf', 'servers.exchange', ...STEPS_OF_KEEPING] as const;

/** The steps that follow a refusal, in their order. */
const STEPS_OF_NO = [
  'audit.record',
  'connections.fail',
  'decline',
  'connections.resumed',
  'connections.settled',
] as const;

const AN_HOUR = 3_600_000;
const journal = { logger: { warn: () => undefined, error: () => undefined } };

type Step = (typeof STEPS)[number] | (typeof STEPS_OF_NO)[number] | (typeof SIGN_IN_STEPS)[number];

describe('the connect function, when it dies during a callback,', () => {
  let flow: Flow;
  beforeAll(async () => {
    flow = await startFlow();
  });
  afterAll(() => flow.close());

  const opened = async (step: Step, when: 'before' | 'after') => {
    const vault = await flow.vaultOf('alice');
    const call = waitingCall(newToken());
    const offer = {
      ...{
        workspace: WORKSPACE,
        vault,
        server: { url: flow.fx.url, name: 'files', resourceMetadata: null },
        scopes: [],
        resume: call,
      },
      agent: { id: 'agent_01' as never, name: 'Ada', version: 1 },
    };
    const link = await flow.links.offer(offer);
    if (link === null) throw new Error('no link was offered');
    const dying = { armed: false };
    const app = createConnectApp(mortal(flow.world, step, { when, dying }));
    const browser = createBrowser({ baseUrl: BASE_URL, fetch: (request) => app.fetch(request) });
    return { vault, call, link, dying, browser };
  };

  it.each(timesOf(STEPS))(
    '$when $step, leaves a connection that opening the link again completes',
    async ({ step, when }) => {
      const { vault, call, link, dying, browser } = await opened(step, when);
      const leaving = await browser.submit(await browser.openAs('alice', link.url));
      const answer = await browser.request(browser.next(leaving) ?? '');
      dying.armed = true;
      await browser.open(browser.next(answer) ?? '');
      expect(dying.armed).toBe(false);

      const again = await browser.open(link.url);
      const done = again.text.includes('is connected') ? again : await browser.follow(await browser.submit(again));
      expect(done.text).toContain('is connected');
      expect(await flow.credentials(vault)).toHaveLength(1);
      await expectNoOrphan(flow);
      expect(new Set(flow.resumed.filter((one) => one.call === call.call)).size).toBeGreaterThan(0);
      expect(await flow.world.connections.find(link.id)).toMatchObject({
        status: 'completed',
        waiting: [],
        storing: null,
      });
    },
  );

  it.each(timesOf(STEPS_OF_NO))(
    '$when $step, leaves a cancellation that cancelling again completes',
    async ({ step, when }) => {
      const { call, link, dying, browser } = await opened(step, when);
      const page = await browser.openAs('alice', link.url);
      dying.armed = true;
      await browser.submit(page, {}, `${link.url}/cancel`);
      expect(dying.armed).toBe(false);
      expect((await browser.submit(page, {}, `${link.url}/cancel`)).text).toContain('was not connected');
      expect(flow.declined.splice(0).map(([told]) => told)).toContainEqual(call);
      const ended = { status: 'failed', error: 'cancelled', waiting: [], isSettled: true };
      expect(await flow.world.connections.find(link.id)).toMatchObject(ended);
    },
  );

  it.each(timesOf(STEPS_OF_NO))('$when $step, keeps a refusal that is recorded', async ({ step, when }) => {
    const { call, link, dying, browser } = await opened(step, when);
    const leaving = await browser.submit(await browser.openAs('alice', link.url));
    flow.as.decides({ error: { code: 'access_denied', description: '' } });
    const answer = await browser.request(browser.next(leaving) ?? '');
    flow.as.decides({});
    dying.armed = true;
    await browser.open(browser.next(answer) ?? '');
    expect(dying.armed).toBe(false);
    const again = await browser.open(link.url);
    // An answer is used up before it takes effect, so a user who is asked again has not been refused.
    const isAsked = step === 'audit.record' || (step === 'connections.fail' && when === 'before');
    expect(again.text).toContain(isAsked ? 'Approve and continue' : 'was not connected');
    expect(flow.declined.splice(0).map(([told]) => told)).toEqual(isAsked ? [] : expect.arrayContaining([call]));
  });
});

/** The same for a server that needs the user's sign-in. */
const SIGN_IN_STEPS = ['identity.loggedIn', ...STEPS_OF_KEEPING] as const;

describe('the connect function, when it dies while it stores a sign-in,', () => {
  let flow: Flow;
  beforeAll(async () => {
    flow = await startFlow({ isManaged: true });
  });
  afterAll(() => flow.close());

  it.each(timesOf(SIGN_IN_STEPS))(
    '$when $step, leaves a connection that opening the link again completes',
    async ({ step, when }) => {
      const vault = await flow.vaultOf('alice');
      const call = waitingCall(`signin${step.replace('.', '')}${when}`);
      const link = await flow.links.offer({
        ...{
          workspace: WORKSPACE,
          vault,
          server: { url: flow.world.enterprise?.identityUrl ?? '', name: null, resourceMetadata: null },
        },
        ...{ agent: { id: 'agent_01' as never, name: 'Ada', version: 1 }, scopes: [] },
        resume: call,
      });
      if (link === null) throw new Error('no link was offered');
      const dying = { armed: false };
      const app = createConnectApp(mortal(flow.world, step, { when, dying }));
      const browser = createBrowser({ baseUrl: BASE_URL, fetch: (request) => app.fetch(request) });
      const leaving = await browser.submit(await browser.openAs('alice', link.url));
      const callback = await browser.follow(leaving, `${BASE_URL}/login/callback`);
      dying.armed = true;
      await browser.open(browser.next(callback) ?? '');
      expect(dying.armed).toBe(false);

      const again = await browser.open(link.url);
      const done = again.text.includes('is connected') ? again : await browser.follow(await browser.submit(again));
      expect(done.text).toContain('is connected');
      expect(await flow.credentials(vault)).toHaveLength(1);
      await expectNoOrphan(flow);
      expect(flow.resumed.some((one) => one.call === call.call)).toBe(true);
      expect(await flow.world.connections.find(link.id)).toMatchObject({
        status: 'completed',
        waiting: [],
        storing: null,
      });
    },
  );
});

function timesOf(steps: readonly Step[]) {
  const times = steps.flatMap((step) => [
    { step, when: 'before' as const },
    { step, when: 'after' as const },
  ]);
  return sample(Math.ceil(times.length / 6), times);
}

/** After a sweep, every stored secret belongs to a credential. */
async function expectNoOrphan({ clock, world, secrets }: Flow): Promise<void> {
  clock.now += AN_HOUR;
  await endPendingCredentials({ pending: { ...world, secrets: secrets.writer }, journal }, world.stamp.now());
  expect(new Set([...secrets.values.keys()].map((name) => name.split('/')[0])).size).toBe(1);
  secrets.values.clear();
}

/** Once armed, the process dies before or after its next use of the step. */
function mortal(
  world: ConnectWorld,
  step: Step,
  { when, dying }: { readonly when: 'before' | 'after'; readonly dying: { armed: boolean } },
): ConnectWorld {
  const [part = '', method = ''] = step.split('.');
  const dead = new Fault('records_unavailable', `died ${when} ${step}`);
  const dies =
    <Given extends unknown[], Value>(work: (...given: Given) => Promise<Value>) =>
    async (...given: Given): Promise<Value> => {
      if (!dying.armed) return work(...given);
      if (when === 'after') await work(...given);
      dying.armed = false;
      throw dead;
    };
  const whole = world as unknown as Record<string, Record<string, (...given: never[]) => Promise<unknown>>>;
  const owner = whole[part];
  if (step === 'resume') return { ...world, resume: dies(world.resume) };
  if (step === 'decline') return { ...world, decline: dies(world.decline) };
  const work = owner?.[method];
  if (owner === undefined || work === undefined) throw new Error(`there is no step ${step}`);
  return { ...world, [part]: { ...owner, [method]: dies(work.bind(owner)) } };
}

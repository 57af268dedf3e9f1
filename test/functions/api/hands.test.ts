/** The hands of sessions: who holds them, and passing one to another session. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordIn } from '#contract/entries.ts';
import { LOG_START, mainHand, positionAfter, primaryThread, SessionId } from '#contract/ids.ts';
import { heldHand } from '#core/session/waiting.ts';
import { appendOf } from '#test/ports/session-log.suite.ts';
import { newThread } from '#test/ports/new-thread.ts';
import { NOW } from '#test/functions/core/given.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const STRANGER = { authorization: `Bearer ${OTHER_KEY}` };

describe('the hands of a session', () => {
  let api: TestApi;
  beforeAll(async () => void (api = await startApi()));
  afterAll(() => api.close());

  const newSession = async () => SessionId.parse(await api.session());
  const keyOf = (session: SessionId) => ({ session, thread: primaryThread(session) });
  const grants = (session: string, hand = 'main') => `/v1/x/sessions/${session}/hands/${hand}/grants`;
  const pass = (from: string, to: string, hand?: string) => api.ask('POST', grants(from, hand), { session_id: to });
  const handsOf = async (session: string) => (await api.ask('GET', `/v1/x/sessions/${session}/hands`)).body.data;
  const state = async (session: SessionId) => (await api.world.log.head(keyOf(session)))?.state;
  /** What a session's log tells of changes of holders. */
  async function told(session: SessionId): Promise<readonly string[]> {
    const { entries } = await api.world.log.read(keyOf(session), positionAfter(LOG_START));
    return entries.flatMap(({ entry }) => {
      const record = recordIn(entry);
      if (record?.kind === 'hand.held') return [`${record.holder.session} holds ${record.hand.session}`];
      return record?.kind === 'hand.left' ? [`${record.holder.session} leaves: ${record.reason}`] : [];
    });
  }
  async function passed() {
    const [one, other] = [await newSession(), await newSession()];
    expect((await pass(one, other)).status).toBe(200);
    return { one, other };
  }

  it('is its main one, which its primary thread holds, until it is passed to another session too', async () => {
    const [one, other] = [await newSession(), await newSession()];
    const environment = (await api.ask('GET', `/v1/sessions/${one}`)).body.environment_id;
    const own = { session_id: one, thread_id: primaryThread(one), since: null };
    const main = { type: 'hand', id: 'main', session_id: one, environment_id: environment, status: 'none' };
    expect(await handsOf(one)).toEqual([{ ...main, holders: [own] }]);
    const granted = await pass(one, other);
    const { since } = granted.body;
    expect(granted.body).toEqual({ type: 'hand_grant', hand: 'main', session_id: one, to_session_id: other, since });
    expect((await pass(one, other)).body).toEqual(granted.body);
    const holder = { session_id: other, thread_id: primaryThread(other), since };
    expect(await handsOf(one)).toEqual([{ ...main, holders: [own, holder] }]);
    expect(await handsOf(other)).toEqual([
      expect.objectContaining({ id: 'main', session_id: other, holders: [] }),
      { ...main, environment_id: null, status: 'passed', holders: [holder] },
    ]);
    expect([await told(one), await told(other)]).toEqual([[`${other} holds ${one}`], [`${other} holds ${one}`]]);
    expect(heldHand((await state(other)) ?? expect.fail('none'))).toEqual(mainHand(one));
    const taken = await api.ask('DELETE', `${grants(one)}/${other}`);
    expect(taken).toMatchObject({ status: 200, body: { type: 'hand_grant_deleted' } });
    expect(await api.ask('DELETE', `${grants(one)}/${other}`)).toMatchObject({ status: 404 });
    expect((await told(one)).at(-1)).toBe(`${other} leaves: withdrawn`);
    expect((await told(other)).at(-1)).toBe(`${other} leaves: withdrawn`);
    expect(await handsOf(one)).toEqual([{ ...main, holders: [own] }]);
    const trail = await api.ask('GET', `/v1/x/audit?kind=administration&session_id=${one}`);
    expect(
      trail.body.data.map(({ entry }: { entry: Record<string, string> }) => `${entry['action']} ${entry['outcome']}`),
    ).toEqual([
      ...['hand.pass requested', 'hand.pass done', 'hand.pass requested', 'hand.pass done'],
      ...['hand.take_back requested', 'hand.take_back done', 'hand.take_back requested', 'hand.take_back denied'],
    ]);
    expect(JSON.stringify(trail.body.data[0])).toContain(`hand main, session ${other}`);
  });

  it('of a thread with an environment of its own is passed like the main one', async () => {
    const [one, other] = [await newSession(), await newSession()];
    const head = (await api.world.log.head(keyOf(one))) ?? expect.fail('no log');
    const bare = newThread(keyOf(one), { workspace: head.state.workspace });
    const hand = { session: one, hand: bare.key.thread };
    const thread = { ...bare, state: { ...bare.state, hands: { own: hand } } };
    await api.world.log.append(appendOf(keyOf(one), head, [{ record: { kind: 'mcp.outdated', at: NOW } }]), thread);
    expect(await pass(one, other, hand.hand)).toMatchObject({ status: 200, body: { hand: hand.hand } });
    expect(heldHand((await state(other)) ?? expect.fail('none'))).toEqual(hand);
  });

  it.each<
    [
      string,
      number,
      RegExp,
      (
        from: SessionId,
        to: SessionId,
      ) => readonly [string, string, string?] | Promise<readonly [string, string, string?]>,
    ]
  >([
    ['to itself', 400, /^session_id: must be another session/, (from) => [from, from]],
    ['to no session', 404, /^session_id: /, (from) => [from, 'sesn_none']],
    ['that it has not', 404, /^hand: /, (from, to) => [from, to, 'sthr_none']],
    ['of a name that no hand has', 404, /^hand: /, (from, to) => [from, to, 'no%20hand']],
    ['of no session', 404, /^session_id: /, (_from, to) => ['sesn_none', to]],
    [
      'to a session that holds another one',
      400,
      /holds a hand of another session already/,
      async (from, to) => {
        await pass(await newSession(), to);
        return [from, to];
      },
    ],
    [
      'of an archived session',
      400,
      /terminated/,
      async (from, to) => {
        await api.ask('POST', `/v1/sessions/${from}/archive`);
        return [from, to];
      },
    ],
    [
      'to an archived session',
      400,
      /terminated/,
      async (from, to) => {
        await api.ask('POST', `/v1/sessions/${to}/archive`);
        return [from, to];
      },
    ],
  ])('is not passed %s', async (_what, status, message, prepare) => {
    const [from, to, hand] = await prepare(await newSession(), await newSession());
    expect(await pass(from, to, hand)).toMatchObject({
      ...{ status, body: { error: { message: expect.stringMatching(message) } } },
    });
  });

  it('is that of its own workspace only', async () => {
    const { one, other } = await passed();
    for (const [method, path, body] of [
      ['GET', `/v1/x/sessions/${one}/hands`, undefined],
      ['POST', grants(one), { session_id: other }],
      ['DELETE', `${grants(one)}/${other}`, undefined],
    ] as const)
      expect((await api.ask(method, path, body, STRANGER)).status).toBe(404);
    expect(await told(one)).toHaveLength(1);
  });

  it('is held by one of two sessions that are passed to a third one at the same time', async () => {
    const [one, other, third] = [await newSession(), await newSession(), await newSession()];
    const statuses = (await Promise.all([pass(one, third), pass(other, third)])).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, 400]);
    const lent = (await Promise.all([state(one), state(other)])).flatMap((now) => now?.lent ?? []);
    expect(lent).toEqual([(await state(third))?.hands?.passed]);
  });

  it('is passed to ten sessions at most', async () => {
    const one = await newSession();
    for (let count = 0; count < 10; count += 1) expect((await pass(one, await newSession())).status).toBe(200);
    expect((await pass(one, await newSession())).status).toBe(400);
  });

  it.each([
    ['archive', 'one'],
    ['archive', 'other'],
    ['deletion', 'one'],
    ['deletion', 'other'],
  ] as const)('is held no longer after the %s of either side (%s)', async (how, which) => {
    const sessions = await passed();
    const [ended, left] = which === 'one' ? [sessions.one, sessions.other] : [sessions.other, sessions.one];
    const path = `/v1/sessions/${ended}`;
    const end = () => (how === 'archive' ? api.ask('POST', `${path}/archive`) : api.ask('DELETE', path));
    expect((await end()).status).toBe(200);
    expect((await told(left)).at(-1)).toBe(`${sessions.other} leaves: gone`);
    const now = await state(left);
    expect([now?.hands, now?.lent]).toEqual([undefined, undefined]);
    await end();
    expect(await told(left)).toHaveLength(2);
  });

  it('comes back from a session that was deleted without a word', async () => {
    const { one, other } = await passed();
    await api.world.remover.remove(other);
    expect((await api.ask('DELETE', `${grants(one)}/${other}`)).status).toBe(200);
    expect((await state(one))?.lent).toBeUndefined();
  });
});

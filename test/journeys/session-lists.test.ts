/** Lists of sessions, paged from both ends while more sessions are made. */
import type { BetaManagedAgentsSession, SessionListParams } from '@anthropic-ai/sdk/resources/beta/sessions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeUnrefused, createCases, rolesOf, says, speechless, type Roles } from '#test/journeys/cases.ts';
import { startService, type Service } from '#test/journeys/service.ts';

type Session = BetaManagedAgentsSession;

const MADE_BEFORE = 14;
const MADE_MEANWHILE = 24;

describe('a list of sessions', () => {
  const cases = createCases();
  let service: Service;
  let roles: Roles;
  /** Ids in the order of creation. */
  const before: Session[] = [];
  beforeAll(async () => {
    service = await startService({ script: cases.script });
    roles = await rolesOf(service);
    while (before.length < MADE_BEFORE) before.push(await service.client.beta.sessions.create(roles));
  });
  afterAll(async () => closeUnrefused(service));

  const idsOf = (sessions: readonly Session[]) => sessions.map(({ id }) => id);

  /** Pages to the end, and back to the start. */
  async function walk(query: SessionListParams): Promise<{ forth: readonly Session[]; back: readonly Session[] }> {
    const { sessions } = service.client.beta;
    const forth: Session[] = [];
    let page = await sessions.list(query);
    forth.push(...page.data);
    while (page.next_page !== null) {
      page = await sessions.list({ ...query, page: page.next_page });
      forth.push(...page.data);
    }
    const back = [page.data];
    while (page.prev_page !== null) {
      page = await sessions.list({ ...query, page: page.prev_page });
      back.unshift(page.data);
    }
    return { forth, back: back.flat() };
  }

  it('has each session once, in both orders and directions, while others are created', async () => {
    const making = Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let made = 0; made < MADE_MEANWHILE / 4; made += 1) await service.client.beta.sessions.create(roles);
      }),
    );
    const known = new Set(idsOf(before));
    const [up, down, large] = await Promise.all([
      walk({ order: 'asc', limit: 3 }),
      walk({ order: 'desc', limit: 3 }),
      walk({ order: 'asc', limit: 5 }),
    ]);
    for (const ids of [up.forth, up.back, down.forth, down.back, large.forth, large.back].map(idsOf)) {
      expect(new Set(ids).size).toBe(ids.length);
    }
    const those = (sessions: readonly Session[]) => idsOf(sessions).filter((id) => known.has(id));
    expect(those(up.forth)).toEqual(idsOf(before));
    expect(those(up.back)).toEqual(idsOf(before));
    expect(those(large.back)).toEqual(idsOf(before));
    expect(those(down.forth)).toEqual(idsOf(before).toReversed());
    expect(those(down.back)).toEqual(idsOf(before).toReversed());
    await making;
    const { forth, back } = await walk({ limit: 7 });
    expect(forth).toHaveLength(MADE_BEFORE + MADE_MEANWHILE);
    expect(idsOf(back)).toEqual(idsOf(forth));
  });

  it('is limited by creation time, with and without the ends', async () => {
    const at = (index: number) => before[index]?.created_at ?? '';
    const ranges: readonly [SessionListParams, number, number][] = [
      [{ 'created_at[gte]': at(3), 'created_at[lte]': at(8) }, 3, 9],
      [{ 'created_at[gt]': at(3), 'created_at[lt]': at(8) }, 4, 8],
      [{ 'created_at[lt]': at(2) }, 0, 2],
      [{ 'created_at[gte]': at(5), 'created_at[lt]': at(5) }, 5, 5],
    ];
    for (const [range, from, to] of ranges) {
      for (const order of ['asc', 'desc'] as const) {
        const { forth, back } = await walk({ ...range, order, limit: 2 });
        const within = idsOf(before.slice(from, to));
        expect(idsOf(forth)).toEqual(order === 'asc' ? within : within.toReversed());
        expect(idsOf(back)).toEqual(idsOf(forth));
      }
    }
  });

  it('filters by status, and hides archived sessions unless the query includes them', async () => {
    cases.on('running', speechless, speechless);
    const { sessions } = service.client.beta;
    const initial_events = [says('running')];
    const running = await Promise.all([
      sessions.create({ ...roles, initial_events }),
      sessions.create({ ...roles, initial_events }),
    ]);
    const [archived] = before;
    if (archived === undefined) throw new Error('a session was made');
    await sessions.archive(archived.id);
    const listed = async (query: SessionListParams) => idsOf((await walk({ ...query, limit: 4 })).forth);
    const total = MADE_BEFORE + MADE_MEANWHILE;
    expect((await listed({ statuses: ['running'] })).toSorted()).toEqual(idsOf(running).toSorted());
    expect(await listed({ statuses: ['idle'] })).toHaveLength(total - 1);
    expect(await listed({ statuses: ['idle', 'running'] })).toHaveLength(total + 1);
    expect(await listed({ statuses: ['terminated'] })).toEqual([]);
    expect(await listed({ statuses: ['terminated'], include_archived: true })).toEqual([archived.id]);
    expect(await listed({})).not.toContain(archived.id);
    expect(await listed({ include_archived: true })).toHaveLength(total + 2);
    expect(await listed({ agent_id: roles.agent, statuses: ['rescheduling'] })).toEqual([]);
    for (const { id } of running) await sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
    expect(await listed({ statuses: ['running'] })).toEqual([]);
    await service.runtime.aws.stepFunctions.idle();
  });
});

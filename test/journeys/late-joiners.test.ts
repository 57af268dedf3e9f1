/** How a client joins late: it opens the stream, lists the history, and drops events that it knows by id. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeUnrefused, createCases, rolesOf, says } from '#test/journeys/cases.ts';
import { follow } from '#test/journeys/follower.ts';
import { bash } from '#test/journeys/scripts.ts';
import { startService, type Event, type Service } from '#test/journeys/service.ts';

describe('a client that opens a stream late', () => {
  const cases = createCases();
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: cases.script });
  });
  afterAll(async () => closeUnrefused(service));

  /** Joins, and returns at the end each event by id in its last form. */
  async function join(session: string): Promise<() => Promise<ReadonlyMap<string, Event>>> {
    const stream = await follow(service, session);
    const history = await service.events(session);
    return async () => {
      // A client that joins after the end has every event in the history.
      if (!history.some((event) => event.type === 'session.status_idle')) await stream.idle();
      stream.leave();
      return new Map([...history, ...stream.seen].map((event) => [event.id, event]));
    };
  }

  it('knows the whole history with each event once, whenever it joins', async () => {
    const joiners: ReturnType<typeof join>[] = [];
    const { id } = await service.client.beta.sessions.create(
      await rolesOf(service, [{ type: 'agent_toolset_20260401' }]),
    );
    const arrives = () => void joiners.push(join(id));
    cases.on(
      'joined',
      () => {
        arrives();
        return { text: ['I ', 'look.'], tools: [bash('echo one'), bash('echo two')], chunkDelayMs: 10 };
      },
      async () => {
        arrives();
        // This message waits in the queue while the next clients join, and is taken while they follow.
        await service.send(id, 'and more');
        arrives();
        return { text: ['I ', 'look ', 'again.'], tools: [bash('echo three')], chunkDelayMs: 20 };
      },
      () => {
        arrives();
        return { text: ['D', 'one.'], chunkDelayMs: 10 };
      },
    );
    const first = await follow(service, id);
    await service.client.beta.sessions.events.send(id, { events: [says('joined')] });
    for (const type of ['session.status_running', 'agent.tool_use', 'agent.tool_result', 'session.usage'] as const) {
      await first.next(type);
      arrives();
    }
    await first.idle();
    const joined = await Promise.all(joiners);
    const whole = new Map((await service.events(id)).map((event) => [event.id, event]));
    expect(joined).toHaveLength(8);
    for (const known of await Promise.all(joined.map((all) => all()))) {
      expect([...known.keys()].toSorted()).toEqual([...whole.keys()].toSorted());
      expect(Object.fromEntries(known)).toEqual(Object.fromEntries(whole));
    }
    first.leave();
  });
});

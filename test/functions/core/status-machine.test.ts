/**
 * Random steps of clients, harnesses, hands and faults, one after the other, compared with the reference model. After
 * each step the stream, the list and the state agree with the model and with each other.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionState } from '#contract/entries.ts';
import type { SessionEvent } from '#contract/events.ts';
import { Position, type EventId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { listEvents } from '#core/session/list-events.ts';
import { KEY } from '#test/functions/core/given.ts';
import {
  begin,
  inputOf,
  perform,
  revived,
  usesIn,
  type Action,
  type Play,
  type Said,
  type Saying,
  type Tool,
} from '#test/functions/core/play.ts';
import { blocked, isActive, sent, type ClientEvent, type Reference } from '#test/functions/core/reference.ts';
import type { Fate } from '#test/functions/core/actors.ts';
import type { Stage } from '#test/functions/core/stage.ts';
import { follow as followOutcomes } from '#test/functions/core/outcomes.ts';
import { propertyRuns } from '#test/property-runs.ts';
import { follow } from '../../../functions/stream/follow.ts';
import { NO_PREVIEWS } from '../../../functions/stream/watch-previews.ts';

const pick = fc.nat({ max: 3 });
const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>('lives') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('dies before', 'dies after') },
);
const tools = fc.array(
  fc.constantFrom<Tool>(
    'bash',
    'read',
    'weather',
    'unheard-of',
    'mcp__tracker__find',
    'mcp__tracker__find',
    'mcp__tracker__drop',
  ),
  { minLength: 1, maxLength: 3 },
);
const saying: fc.Arbitrary<Saying> = fc.oneof(
  { weight: 5, arbitrary: tools },
  { weight: 3, arbitrary: fc.constant('text' as const) },
  { weight: 2, arbitrary: fc.constantFrom('satisfied' as const, 'needs revision' as const) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('refusal', 'overloaded', 'overloaded', 'refused request', 'refused input'),
  },
);
const said: fc.Arbitrary<Said> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('message' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('interrupt' as const, 'outcome' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('confirmation' as const), of: pick, allow: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('result' as const), of: pick }) },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      events: fc.array(said, { minLength: 1, maxLength: 3 }),
      stale: fc.boolean(),
      start: fc.constantFrom('started' as const, 'started' as const, 'started' as const, 'lost' as const),
    }),
  },
  {
    weight: 48,
    arbitrary: fc.record({
      ...{ do: fc.constant('work' as const), of: pick, says: saying, fate },
      ...{ suspends: fc.boolean(), leaves: fc.boolean() },
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('resume' as const, 'decline' as const), of: pick }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('rename' as const, 'sweep' as const, 'second' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'double' as const, 'lose' as const, 'fail hand' as const),
      of: pick,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('archive' as const) }) },
);

function resultsIn(events: readonly SessionEvent[]): readonly EventId[] {
  return events.flatMap((event) => {
    if (event.type === 'agent.tool_result') return [event.tool_use_id];
    if (event.type === 'agent.mcp_tool_result') return [event.mcp_tool_use_id];
    return event.type === 'user.custom_tool_result' ? [event.custom_tool_use_id] : [];
  });
}

const STATUS: Partial<Record<SessionEvent['type'], Reference['status']>> = {
  'session.status_running': 'running',
  'session.status_idle': 'idle',
  'session.status_rescheduled': 'rescheduling',
  'session.status_terminated': 'terminated',
};

/** The invariants that hold after every step. */
async function expectAgreement(play: Play): Promise<void> {
  const { stage, now } = play;
  const { state } = await stage.head();
  const events = stage.events();
  expect({
    status: state.status,
    stop: state.stopReason?.type ?? null,
    run: state.run,
    failures: state.failures,
    isAsking: state.request !== null,
    open: state.calls.map(({ id, waitsFor, isSuspended }) => ({ id, waitsFor: isSuspended ? 'page' : waitsFor })),
    queued: state.queued.length,
    outcome: state.outcome === undefined ? null : { stage: state.outcome.result, iteration: state.outcome.iteration },
    outcomes: state.outcomes?.count ?? 0,
    programs: state.programsLive ?? false,
    ending: state.ending?.reason.type ?? null,
  }).toEqual({
    status: now.status,
    stop: now.stop,
    run: now.run,
    failures: now.failures,
    isAsking: now.asking !== null,
    open: now.open.map(({ id, waitsFor }) => ({ id, waitsFor })),
    queued: now.queue.length,
    outcome: now.outcome === null ? null : { stage: now.outcome.stage, iteration: now.outcome.iteration },
    outcomes: now.outcomes,
    programs: now.programs,
    ending: now.ending?.stop ?? null,
  });
  expect(fold(null, stage.log.entries(KEY)).state).toEqual(state);
  expect(events.flatMap((event) => STATUS[event.type] ?? []).at(-1) ?? 'idle').toBe(now.status);
  if (now.status === 'idle' && state.stopReason?.type === 'requires_action') {
    expect(state.stopReason.event_ids).toEqual(blocked(now).map((call) => call.id));
  }
  expect(stage.ranInVain, 'an interrupt promised that these would not run').toEqual([]);
  expectRow(stage, state);
  expectOrder(events);
  expectPairs(events, now);
  expect(stage.outcomes()).toEqual(followOutcomes(events).map(({ evaluation }) => evaluation));
  await expectOneHistory(play, events);
}

/** The row is never behind the log; it gets the usage of a run when the run ends. */
function expectRow(stage: Stage, { status, run, usage, runningSince }: SessionState): void {
  const row = stage.row();
  expect(row).toMatchObject({ status, run, runningSince });
  const rests = status === 'idle' || status === 'terminated';
  expect(runningSince === null).toBe(rests);
  if (rests) expect(row.usage).toEqual(usage);
}

/** Thread idle, usage, session idle; session running, thread running. */
function expectOrder(events: readonly SessionEvent[]): void {
  for (const [index, event] of events.entries()) {
    if (event.type === 'session.status_idle') {
      expect(events[index - 1]?.type).toBe('session.usage');
      expect(events[index - 2]).toMatchObject({
        type: 'session.thread_status_idle',
        stop_reason: event.stop_reason,
        stop_details: event.stop_details,
      });
    }
    if (event.type === 'session.status_running') {
      expect(events[index + 1]?.type).toBe('session.thread_status_running');
    }
  }
}

/** Each use has one result, except open calls, and each request has one end, except the open one. */
function expectPairs(events: readonly SessionEvent[], now: Reference): void {
  const results = resultsIn(events);
  expect(new Set(results).size).toBe(results.length);
  const open = new Set<string>(now.open.map((call) => call.id));
  const uses = usesIn(events).map(({ id }) => id);
  expect(results.toSorted()).toEqual(uses.filter((id) => !open.has(id)).toSorted());
  const spans: string[] = [];
  for (const event of events) {
    if (event.type === 'span.model_request_start') spans.push(event.id);
    // Requests never overlap, so each end is the last start's.
    if (event.type === 'span.model_request_end') expect(spans.pop()).toBe(event.model_request_start_id);
    expect(spans.length).toBeLessThanOrEqual(1);
  }
  expect(spans).toHaveLength(now.asking === null ? 0 : 1);
}

/** The stream and the list contain the same events, each in its last form. */
async function expectOneHistory(play: Play, events: readonly SessionEvent[]): Promise<void> {
  const { stage, now, seen } = play;
  for (const event of await tailAfter(stage, play.followed)) seen.set(event.id, event);
  const head = await stage.head();
  play.followed = head;
  const told = new Map(events.map((event) => [event.id as string, event]));
  expect(seen).toEqual(told);
  const listed = await list(stage, head, 'asc');
  expect((await list(stage, head, 'desc')).toReversed()).toEqual(listed);
  const ids = listed.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const given = [...told.values()].filter((event) => !isDropped(event, now));
  expect(listed.toSorted(byId)).toEqual(given.toSorted(byId));
}

function isDropped(event: SessionEvent, { dropped }: Reference): boolean {
  return (
    event.type === 'user.message' &&
    event.content.some((block) => block.type === 'text' && dropped.includes(block.text))
  );
}

const byId = (one: SessionEvent, other: SessionEvent) => (one.id < other.id ? -1 : 1);

async function tailAfter(stage: Stage, head: Head): Promise<readonly SessionEvent[]> {
  const written: string[] = [];
  const sink = { write: async (text: string) => void written.push(text), end: () => undefined };
  const world = { log: stage.log, pause: async () => undefined, nowMs: () => 0, newToken: () => 'x' };
  const subscription = {
    key: KEY,
    head,
    previews: NO_PREVIEWS,
    crowd: { isFull: async () => false },
    names: 'types',
  } as const;
  await follow(world, subscription, { sink, limits: { untilMs: 0, idleMs: 0 } });
  return [...written.join('').matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? '') as SessionEvent);
}

async function list(stage: Stage, head: Head, order: 'asc' | 'desc'): Promise<readonly SessionEvent[]> {
  const reader = {
    async *appends() {
      const entries = stage.log.entries(KEY);
      const appends = stage.appends.map((first, index) => ({
        first: Position.parse(first),
        entries: entries
          .slice(first - 1, (stage.appends[index + 1] ?? entries.length + 1) - 1)
          .map((entry, offset) => ({ position: Position.parse(first + offset), entry })),
      }));
      yield* order === 'asc' ? appends : appends.toReversed();
    },
  };
  const listed: SessionEvent[] = [];
  for await (const { event } of listEvents({ log: stage.log, reader }, { key: KEY, head, order, beyond: null })) {
    listed.push(event);
  }
  return listed;
}

/** Every actor does what is left to do, and the client answers each question. */
async function finish(play: Play, faults: boolean): Promise<void> {
  const { stage } = play;
  for (let step = 0; step < 300; step += 1) {
    const [call] = blocked(play.now);
    const work: Action = { do: 'work', of: 0, says: 'text', fate: 'lives', suspends: false, leaves: false };
    if (stage.live().length > 0) await perform(play, work);
    else if (isActive(play.now)) {
      expect(faults, 'a session without faults rests without a sweep').toBe(true);
      await perform(play, { do: 'sweep' });
    } else if (call?.waitsFor === 'page' && play.now.status === 'idle') {
      const of = usesIn(stage.events())
        .toReversed()
        .findIndex(({ id }) => id === call.id);
      await perform(play, { do: 'resume', of });
    } else if (call !== undefined && play.now.status === 'idle') {
      const event: ClientEvent =
        call.waitsFor === 'client'
          ? { type: 'result', call: call.id }
          : { type: 'confirmation', call: call.id, allow: true };
      expect(await stage.send([inputOf(event)], await stage.head(), 'started')).toBe('accepted');
      const next = sent(play.now, [event]);
      if (next !== 'refused') play.now = next;
      play.now = revived(play);
    } else return;
    await expectAgreement(play);
  }
  throw new Error('the session does not come to rest');
}

/** Every accepted message is in the context, and an idle session has nothing left to do. */
async function expectRest({ stage, now }: Play): Promise<void> {
  const said = stage.events().filter((event) => event.type === 'user.message');
  const taken = said.filter((event) => event.processed_at !== null).map(({ id }) => id);
  const dropped = said.filter((event) => isDropped(event, now)).map(({ id }) => id);
  const queued = (await stage.head()).state.queued.map(({ id }) => id);
  expect([...taken, ...dropped, ...queued].toSorted()).toEqual([...new Set(said.map(({ id }) => id))].toSorted());
  if (now.status === 'idle') expect([...now.queue, ...now.open]).toEqual([]);
}

function isFaulty(action: Action): boolean {
  switch (action.do) {
    case 'send':
      return action.start === 'lost' || action.stale;
    case 'work':
      return action.fate !== 'lives';
    case 'kill':
    case 'double':
    case 'lose':
      return true;
    default:
      return false;
  }
}

describe('a session under random commands of clients and faults', () => {
  it('follows the status machine, and streams and lists show the same events', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 2 }),
        fc.array(action, { maxLength: 40, size: 'max' }),
        fc.boolean(),
        async (initial, actions, archives) => {
          const play = await begin(initial);
          for (const one of actions) {
            await perform(play, one);
            await expectAgreement(play);
          }
          await finish(play, actions.some(isFaulty));
          await expectRest(play);
          if (archives) await perform(play, { do: 'archive' });
          await expectAgreement(play);
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  });
});

/**
 * Random steps of several threads, their client, hands and faults, one after the other. After each step the logs agree
 * with each other, and in the end nothing is lost.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventInput } from '#contract/events.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { Head } from '#core/ports/session-log.ts';
import { blockedCalls, isActive } from '#core/session/waiting.ts';
import { answer, KEY, says } from '#test/functions/core/given.ts';
import { outcome, verdict } from '#test/functions/core/outcomes.ts';
import type { Fate } from '#test/functions/core/actors.ts';
import { expectAgreement } from '#test/functions/core/team-agreement.ts';
import { finish, replyTo } from '#test/functions/core/team-play.ts';
import {
  asks,
  calls,
  createTeamStage,
  LAB_GUIDES,
  follows,
  text,
  type Execution,
  type TeamStage,
} from '#test/functions/core/team-stage.ts';
import { propertyRuns } from '#test/property-runs.ts';

const TOOLS = ['bash', 'read', 'weather'] as const;
const TEAM = ['ann', 'bob', 'advisor', 'follow up', 'wait'] as const;
type Said = readonly ((typeof TOOLS)[number] | (typeof TEAM)[number])[] | 'text' | 'refusal' | 'busy' | 'no';
type Sent =
  | { readonly do: 'message' | 'interrupt' | 'outcome' }
  | { readonly do: 'interrupt one' | 'reply' | 'deny'; readonly of: number };
type Action =
  | {
      readonly do: 'work';
      readonly of: number;
      readonly primary: Said;
      readonly child: Said;
      readonly fate: Fate;
      readonly hand: 'ends' | 'leaves programs' | 'gives back';
    }
  | { readonly do: 'send'; readonly events: readonly Sent[]; readonly stale: boolean; readonly fate: Fate }
  | { readonly do: 'archive' | 'resume'; readonly of: number; readonly fate: Fate }
  | { readonly do: 'kill' | 'lose' | 'double'; readonly of: number }
  | { readonly do: 'sweep' | 'second' };
/** Steps that begin together. */
type Moment = readonly [Action, ...Action[]];

const pick = fc.nat({ max: 7 });
const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>('lives') },
  { weight: 2, arbitrary: fc.constantFrom<Fate>('dies before', 'dies after') },
);
const hand = fc.constantFrom('ends' as const, 'leaves programs' as const, 'gives back' as const);
const other: fc.Arbitrary<Said> = fc.oneof(
  { weight: 6, arbitrary: fc.constant('text' as const) },
  { weight: 2, arbitrary: fc.constantFrom('refusal', 'busy', 'busy', 'no') },
);
const some = <Of>(...of: readonly Of[]) => fc.array(fc.constantFrom(...of), { minLength: 1, maxLength: 3 });
const primary = fc.oneof({ weight: 8, arbitrary: some(...TEAM, ...TEAM, ...TOOLS) }, { weight: 4, arbitrary: other });
const child = fc.oneof({ weight: 5, arbitrary: some(...TOOLS) }, { weight: 6, arbitrary: other });
const sent: fc.Arbitrary<Sent> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('message' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('interrupt' as const, 'outcome' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('interrupt one' as const), of: pick }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('reply' as const, 'reply' as const, 'deny' as const), of: pick }),
  },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({ do: fc.constant('work' as const), of: pick, primary, child, fate, hand }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      ...{ do: fc.constant('send' as const), events: fc.array(sent, { minLength: 1, maxLength: 3 }) },
      ...{ stale: fc.boolean(), fate },
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('archive' as const, 'resume' as const), of: pick, fate }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'lose' as const, 'double' as const), of: pick }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'second' as const) }) },
);

const moment: fc.Arbitrary<Moment> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(action) },
  { weight: 1, arbitrary: fc.tuple(action, action) },
);

const at = <Of>(list: readonly Of[], of: number): Of | undefined => list[of % Math.max(1, list.length)];

/** Whether the request is the grader's. */
const isOfGrader = ({ asking }: Execution) => asking?.request.tools.some(({ name }) => name === 'verdict') === true;

function answerOf(stage: TeamStage, said: Said, of: number): ModelAnswer | Fault {
  if (typeof said !== 'string') {
    return calls(
      ...said.map((name, index) => {
        const thread = at(stage.children(), of + index);
        const lender = of % 2 === 0 || thread === undefined ? 'mine' : thread;
        const sandbox = of % 3 === 0 ? lender : undefined;
        if (name === 'ann' || name === 'bob') return asks(name, 'Do it.', sandbox);
        if (name === 'advisor') return ['ask_advisor', { question: 'How?' }] as const;
        if (name === 'wait') return ['wait_for_report'] as const;
        if (name !== 'follow up') return [name] as const;
        return thread === undefined ? asks('ann') : follows(thread, 'And more.', sandbox);
      }),
    );
  }
  switch (said) {
    case 'text':
      return text(`A secret of ${of}.`);
    case 'refusal':
      return answer({ stopReason: 'refusal', blocks: [] });
    case 'busy':
      return new Fault('model_overloaded', 'busy');
    case 'no':
      return new Fault('model_refused_request', 'no');
    default:
      return said satisfies never;
  }
}

function heard(stage: TeamStage, execution: Execution, said: Said, { of }: { readonly of: number }) {
  const result = of % 2 === 0 ? 'satisfied' : 'needs_revision';
  return isOfGrader(execution) && said !== 'busy' ? verdict(result, 'Well.') : answerOf(stage, said, of);
}

async function inputsOf(stage: TeamStage, what: Sent): Promise<readonly EventInput[]> {
  switch (what.do) {
    case 'message':
      return [says('more')];
    case 'interrupt':
      return [{ type: 'user.interrupt' }];
    case 'outcome':
      return [outcome('A report', 'It is good.', 2)];
    case 'interrupt one': {
      const thread = at(stage.threads, what.of);
      return thread === undefined ? [] : [{ type: 'user.interrupt', session_thread_id: thread }];
    }
    case 'reply':
    case 'deny': {
      const states = await Promise.all(stage.threads.map((thread) => stage.state(thread)));
      const call = at(
        states.flatMap((state) => (state.status === 'terminated' ? [] : blockedCalls(state))),
        what.of,
      );
      if (call === undefined) return [];
      const reply = replyTo(stage, call.id);
      const denied = what.do === 'deny' && reply.type === 'user.tool_confirmation';
      return [denied ? { ...reply, result: 'deny' } : reply];
    }
    default:
      return what satisfies never;
  }
}

interface Play {
  readonly stage: TeamStage;
  /** A head that a slow request may have read. */
  before: Head;
}

async function perform(play: Play, what: Action): Promise<void> {
  const { stage } = play;
  const before = await stage.head();
  switch (what.do) {
    case 'work': {
      const execution = at(stage.live(), what.of);
      if (execution !== undefined) await performWork(stage, execution, what);
      break;
    }
    case 'send': {
      const events = (await Promise.all(what.events.map((event) => inputsOf(stage, event)))).flat();
      if (events.length > 0) await stage.send(events, { fate: what.fate, ...(what.stale && { from: play.before }) });
      break;
    }
    case 'archive': {
      const thread = at(stage.children(), what.of);
      if (thread !== undefined) await stage.change(thread, { do: 'archive' }, what.fate);
      break;
    }
    case 'resume': {
      const call = at(await suspendedCalls(stage), what.of);
      if (call !== undefined) await stage.resume(call.thread, call.id, what.fate);
      break;
    }
    case 'kill':
    case 'lose':
    case 'double': {
      const execution = at(stage.live(), what.of);
      if (execution !== undefined && (what.do !== 'double' || stage.live().length < 6)) await stage[what.do](execution);
      break;
    }
    case 'sweep':
    case 'second':
      await stage[what.do]();
      break;
    default:
      return what satisfies never;
  }
  play.before = before;
}

async function performWork(stage: TeamStage, execution: Execution, what: Extract<Action, { do: 'work' }>) {
  const [hand] = execution.hands;
  const said = execution.thread === KEY.thread ? what.primary : what.child;
  if (execution.at === 'turn') await stage.turn(execution, what.fate);
  else if (execution.at === 'asking') await stage.hear(execution, heard(stage, execution, said, what), what.fate);
  else if (execution.at === 'harvest') await stage.harvest(execution, what.fate);
  else if (hand !== undefined && what.hand === 'gives back') await stage.suspend(execution, hand, what.fate);
  else if (hand !== undefined)
    await stage.useHand(execution, hand, what.hand === 'ends' ? {} : { programsLive: true }, what.fate);
}

async function suspendedCalls(stage: TeamStage) {
  const states = await Promise.all(stage.threads.map((thread) => stage.state(thread)));
  return states.flatMap(({ thread, calls: open }) =>
    open.flatMap(({ id, isSuspended }) => (isSuspended ? [{ thread, id }] : [])),
  );
}

/** Nothing is left to do, and nothing waits but reports from before an interrupt. */
async function expectRest(stage: TeamStage): Promise<void> {
  for (const thread of stage.threads) {
    const state = await stage.state(thread);
    expect(isActive(state)).toBe(false);
    if (state.status === 'idle') expect(state.calls).toEqual([]);
    expect(state.queued.filter(({ isQuiet }) => isQuiet !== true && state.status === 'idle')).toEqual([]);
  }
  expect((await stage.state()).team?.busy ?? []).toEqual([]);
}

describe('threads of a session under random steps and faults', () => {
  it('tell each other and the client the same, and each piece of work has one report', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moment, { maxLength: 60, size: 'max' }), async (moments) => {
        const stage = await createTeamStage([says('hi')], { guides: LAB_GUIDES });
        const play = { stage, before: await stage.head() };
        for (const actions of moments) {
          await Promise.all(actions.map((one) => perform(play, one)));
          await expectAgreement(stage);
        }
        await finish(stage, (execution) => heard(stage, execution, 'text', { of: 0 }), {
          after: () => expectAgreement(stage),
        });
        await expectRest(stage);
      }),
      { numRuns: propertyRuns(200) },
    );
  });
});

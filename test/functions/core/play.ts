/** The steps of a play. Each one is made on the stage and in the reference, and both must give the same answer. */
import { expect } from 'vitest';
import type { EventInput, EventOf, SessionEvent } from '#contract/events.ts';
import type { EventId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import type { Head } from '#core/ports/session-log.ts';
import { HANDS, answer, says, toolUse } from '#test/functions/core/given.ts';
import {
  archived,
  declined,
  ended,
  closed,
  harvested,
  heard,
  isActive,
  isEnding,
  ITERATIONS,
  lost,
  NEW,
  resumed,
  sent,
  shown,
  suspended,
  turned,
  waits,
  type ClientEvent,
  type Heard,
  type Reference,
  type ReferenceCall,
} from '#test/functions/core/reference.ts';
import { outcome, verdict } from '#test/functions/core/outcomes.ts';
import type { Fate } from '#test/functions/core/actors.ts';
import { createStage, type Execution, type Stage } from '#test/functions/core/stage.ts';

/** `of` picks one of the latest calls, or of the live executions. */
export type Said =
  | { readonly type: 'message' }
  | { readonly type: 'interrupt' }
  | { readonly type: 'outcome' }
  | { readonly type: 'confirmation'; readonly of: number; readonly allow: boolean }
  | { readonly type: 'result'; readonly of: number };
export type Tool = 'bash' | 'read' | 'weather' | 'unheard-of' | 'mcp__tracker__find' | 'mcp__tracker__drop';
export type Saying = Exclude<Heard['type'], 'calls'> | readonly Tool[];

export type Action =
  | {
      readonly do: 'send';
      readonly events: readonly Said[];
      readonly stale: boolean;
      readonly start: 'started' | 'lost';
    }
  | { readonly do: 'archive' | 'rename' | 'sweep' | 'second' }
  /** The next step of an execution: a turn, the model's answer, or a hand. */
  | {
      readonly do: 'work';
      readonly of: number;
      readonly says: Saying;
      readonly fate: Fate;
      /** Whether the hand of an MCP call gives it back. */
      readonly suspends: boolean;
      /** Whether programs go on in the sandbox after it. */
      readonly leaves: boolean;
    }
  /** The thing that a call waits for is done, or is declined. A step for any other wait changes nothing. */
  | { readonly do: 'resume' | 'decline'; readonly of: number }
  | { readonly do: 'kill' | 'double' | 'lose' | 'fail hand'; readonly of: number };

export interface Play {
  readonly stage: Stage;
  now: Reference;
  /** The head that a slow request may have read. */
  before: { readonly head: Head; readonly then: Reference };
  messages: number;
  /** The events that a follower received, by id, each in its last form. */
  readonly seen: Map<string, SessionEvent>;
  /**
   * How often a call had been given to its hand when a step used this name for its wait, and for the name of a harvest the
   * number of the end that it is for.
   */
  readonly given: Map<string, number>;
  followed: Head;
}

export async function begin(messages: number): Promise<Play> {
  const texts = Array.from({ length: messages }, (_, index) => `m${index + 1}`);
  const stage = await createStage(texts.map(says));
  const now = sent(
    NEW,
    texts.map((text) => ({ type: 'message', text })),
  );
  if (now === 'refused') throw new TypeError('a new session takes messages');
  const head = await stage.head();
  const seen = new Map(stage.events().map((event) => [event.id as string, event]));
  return { stage, now, before: { head, then: now }, messages, seen, given: new Map(), followed: head };
}

export async function perform(play: Play, what: Action): Promise<void> {
  const { stage } = play;
  const before = { head: await stage.head(), then: play.now };
  switch (what.do) {
    case 'send':
      await performSend(play, what);
      break;
    case 'archive': {
      const next = archived(play.now);
      expect(await stage.change({ do: 'archive' })).toBe(next === 'refused' ? next : 'accepted');
      if (next !== 'refused') play.now = next;
      break;
    }
    case 'rename': {
      const accepted = await stage.change({ do: 'update', changes: { title: `title ${before.head.position}` } });
      expect(accepted).toBe(play.now.status === 'terminated' ? 'refused' : 'accepted');
      break;
    }
    case 'sweep':
      play.now = revived(play);
      await stage.sweep();
      break;
    case 'second':
      await stage.second();
      break;
    case 'resume':
    case 'decline': {
      const call = latestCall(play, what.of);
      if (call === undefined) break;
      const { run } = play.now;
      play.now = what.do === 'resume' ? resumed(play.now, call) : declined(play.now, call);
      await stage[what.do](call);
      if (play.now.run !== run) play.now = revived(play);
      break;
    }
    case 'work':
    case 'kill':
    case 'double':
    case 'lose':
    case 'fail hand': {
      const live = stage.live();
      const execution = live[what.of % live.length];
      if (execution !== undefined) await performIn(play, execution, what);
      break;
    }
    default:
      return what satisfies never;
  }
  play.before = before;
}

/** A run without an execution is continued under the next number, or given up. */
export function revived({ stage, now }: Play): Reference {
  let next = now;
  while (isActive(next) && stage.isOver(next.run)) next = lost(next);
  return next;
}

async function performSend(play: Play, what: Extract<Action, { do: 'send' }>): Promise<void> {
  const { stage } = play;
  const events = what.events.flatMap((event) => eventsOf(play, event));
  if (events.length === 0) return;
  const { run } = play.now;
  const { head, then } = what.stale ? play.before : { head: await stage.head(), then: play.now };
  // A refusal holds for the state that the request read; an acceptance holds for the present state.
  const next = sent(then, events) === 'refused' ? 'refused' : sent(play.now, events);
  expect(await stage.send(events.map(inputOf), head, what.start)).toBe(next === 'refused' ? next : 'accepted');
  if (next === 'refused') return;
  play.now = next;
  if (next.run !== run && what.start === 'started') play.now = revived({ ...play, now: next });
}

function eventsOf(play: Play, event: Said): readonly ClientEvent[] {
  if (event.type === 'interrupt' || event.type === 'outcome') return [{ type: event.type }];
  if (event.type === 'message') {
    play.messages += 1;
    return [{ type: 'message', text: `m${play.messages}` }];
  }
  const call = latestCall(play, event.of);
  if (call === undefined) return [];
  return event.type === 'result' ? [{ type: 'result', call }] : [{ type: 'confirmation', call, allow: event.allow }];
}

function latestCall({ stage }: Play, of: number): EventId | undefined {
  const calls = usesIn(stage.events());
  return calls.toReversed()[of % Math.max(1, calls.length)]?.id;
}

export function inputOf(event: ClientEvent): EventInput {
  switch (event.type) {
    case 'message':
      return says(event.text);
    case 'interrupt':
      return { type: 'user.interrupt' };
    case 'outcome':
      return outcome('A report', 'It is good.', ITERATIONS);
    case 'confirmation':
      return { type: 'user.tool_confirmation', tool_use_id: event.call, result: event.allow ? 'allow' : 'deny' };
    case 'result':
      return { type: 'user.custom_tool_result', custom_tool_use_id: event.call };
    default:
      return event satisfies never;
  }
}

type WorkAction = Extract<Action, { do: 'work' | 'kill' | 'double' | 'lose' | 'fail hand' }>;

async function performIn(play: Play, execution: Execution, what: WorkAction): Promise<void> {
  const { stage } = play;
  const hand = execution.hands[0];
  switch (what.do) {
    case 'work':
      if (execution.at === 'turn') await performTurn(play, execution, what.fate);
      else if (execution.at === 'asking') await performHearing(play, execution, what);
      else if (execution.at === 'harvest') {
        const isDue = isHarvestOf(play, execution);
        await stage.harvest(execution, what);
        if (isDue && what.fate !== 'dies before') play.now = harvested(play.now, what.leaves);
      } else if (hand !== undefined) {
        const before = waits(play.now, hand.id, 'hand');
        await stage.useHand(execution, hand, what);
        // A call that was interrupted, or that another attempt has closed, is not made.
        if (!before || what.fate === 'dies before') break;
        play.now =
          hand.function === HANDS.mcp.function && what.suspends
            ? suspended(play.now, hand.id)
            : closed(play.now, hand.id);
        if (hand.function === HANDS.sandbox.function && what.leaves) play.now = { ...play.now, programs: true };
      }
      break;
    case 'fail hand':
      if (hand !== undefined) stage.failHand(execution, hand);
      else if (execution.at === 'harvest') stage.failHarvest(execution);
      break;
    case 'kill':
      await stage.kill(execution);
      break;
    case 'double':
      if (stage.live().length < 4) stage.double(execution);
      break;
    case 'lose':
      await stage.lose(execution);
      break;
    default:
      return what satisfies never;
  }
}

async function performTurn(play: Play, execution: Execution, dies: Fate): Promise<void> {
  const { stage } = play;
  const isMine = execution.input.run === play.now.run && isActive(play.now);
  const unfinished = (isMine ? (execution.input.hands ?? []) : [])
    .filter(({ id, sincePosition }) =>
      play.now.open.some(
        (call) => call.id === id && call.waitsFor === 'hand' && play.given.get(`${id}@${sincePosition}`) === call.given,
      ),
    )
    .map(({ id }) => id);
  const isUnharvested = isMine && isHarvestOf(play, execution);
  const before = stage.requests.length;
  const position = (await stage.head()).position;
  const next = turned(play.now, { turn: execution.id, run: execution.input.run, unfinished, isUnharvested });
  await stage.turn(execution, dies);
  const [first] = unfinished;
  noteGiven(play, execution);
  if (dies === 'lives' || (await stage.head()).position === position) {
    // A turn that appends nothing cannot die at its append.
    if (dies !== 'dies before') play.now = next;
  } else if (dies === 'dies after') {
    const lists = next.asking === execution.id && play.now.listed !== next.listed;
    const unlisted = lists ? { ...play.now, listed: next.listed } : next;
    if (isUnharvested) play.now = harvested(play.now, false);
    else if (isMine && isEnding(play.now)) play.now = ended(play.now);
    else play.now = first === undefined ? unlisted : closed(play.now, first);
  }
  const asked = stage.requests[before];
  const isOfGrader = asked?.tools.some(({ name }) => name === 'verdict') === true;
  // The grader sees nothing of the conversation.
  if (asked !== undefined) expect(textsIn(asked).filter(isMessage)).toEqual(isOfGrader ? [] : shown(play.now));
}

/** Whether the turn that ends is the one that the execution harvests for. */
function isHarvestOf({ given, now }: Play, { input }: Execution): boolean {
  return now.ending?.isHarvested === false && given.get(`end@${input.turn?.since}`) === now.ending.number;
}

/** For each call that can be made, and for a harvest: a name for this wait, which no other wait may have. */
function noteGiven({ given, now }: Play, { hands, input, at }: Execution): void {
  const end = `end@${input.turn?.since}`;
  if (at === 'harvest' && now.ending !== null && !given.has(end)) given.set(end, now.ending.number);
  for (const { id, sincePosition } of hands) {
    const call = now.open.find((open) => open.id === id);
    const name = `${id}@${sincePosition}`;
    if (call !== undefined && !given.has(name)) given.set(name, call.given);
  }
}

async function performHearing(
  play: Play,
  execution: Execution,
  { says, fate: dies }: Extract<Action, { do: 'work' }>,
): Promise<void> {
  const { stage } = play;
  const what = fitting(says, play.now);
  const known = stage.events().length;
  await stage.hear(execution, reply(what, known), dies);
  if (dies === 'dies before') return;
  const open = usesIn(stage.events().slice(known)).flatMap(callOf);
  play.now = heard(play.now, execution.id, typeof what === 'string' ? { type: what } : { type: 'calls', open });
  noteGiven(play, execution);
}

/** An agent gives no verdict. Where a request may hold no message, what is left out of it is no rule of this model. */
function fitting(says: Saying, { outcome, outcomes }: Reference): Saying {
  const isOfGrader = outcome?.stage === 'evaluating';
  if (!isOfGrader && (says === 'satisfied' || says === 'needs revision')) return 'text';
  // Agent and grader have a tool of this name.
  if (isOfGrader && typeof says !== 'string' && says.every((name) => name === 'read')) return 'reading';
  return says === 'refused input' && outcomes > 0 ? 'overloaded' : says;
}

function callOf(use: Use): readonly ReferenceCall[] {
  const { id } = use;
  if (use.type === 'agent.custom_tool_use') return [{ id, waitsFor: 'client', given: 0, effect: null }];
  if (use.evaluated_permission === 'deny') return [];
  const effect = use.type === 'agent.mcp_tool_use' ? null : use.name === 'read' ? 'reads' : 'writes';
  return [
    use.evaluated_permission === 'ask'
      ? { id, waitsFor: 'confirmation', given: 0, effect }
      : { id, waitsFor: 'hand', given: 1, effect },
  ];
}

function reply(what: Saying, unique: number): ModelAnswer | Fault {
  if (typeof what !== 'string') {
    const blocks = what.map((name, index) => toolUse(`toolu_${unique}_${index}`, name, {}));
    return answer({ stopReason: 'tool_use', blocks });
  }
  switch (what) {
    case 'text':
      return answer();
    case 'refusal':
      return answer({ stopReason: 'refusal' });
    case 'satisfied':
      return verdict('satisfied', 'All there.');
    case 'reading':
      return answer({ stopReason: 'tool_use', blocks: [toolUse('toolu_read', 'read', { path: 'report.md' })] });
    case 'needs revision':
      return verdict('needs_revision', 'Not all.');
    case 'overloaded':
      return new Fault('model_overloaded', 'busy');
    case 'refused request':
      return new Fault('model_refused_request', 'no');
    case 'refused input':
      return new Fault('model_refused_input', 'no');
    default:
      return what satisfies never;
  }
}

type Use = EventOf<'agent.tool_use' | 'agent.mcp_tool_use' | 'agent.custom_tool_use'>;

export function usesIn(events: readonly SessionEvent[]): readonly Use[] {
  return events.filter(
    (event) =>
      event.type === 'agent.tool_use' || event.type === 'agent.mcp_tool_use' || event.type === 'agent.custom_tool_use',
  );
}

/** Of the other texts, each is a note on what was left out, or a result that is told as text. */
function isMessage(text: string): boolean {
  return /^m\d+$/.test(text);
}

function textsIn(request: ModelRequest): readonly string[] {
  return request.messages.flatMap(({ role, content }) =>
    role === 'user' ? content.flatMap((block) => (block.type === 'text' ? [String(block['text'])] : [])) : [],
  );
}

/**
 * A client's events, in their order, all or none. Messages wait until the agent takes them. Interrupts, confirmations and
 * results take effect in the append that accepts them, so no process has to act on them afterwards: a process that works
 * on a request or call that they end loses its next append.
 */
import { filesIn, type ToolContent } from '#contract/content.ts';
import type { Entry, HeldFile, HeldFiles, OpenCall, SessionState } from '#contract/entries.ts';
import type { EventInput } from '#contract/events.ts';
import type { EventId, FileId, ThreadId } from '#contract/ids.ts';
import { habitsOf } from '#core/model/habits.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import {
  decided,
  extended,
  type CommandTo,
  type Decided,
  type Decision,
  type OtherHeads,
  type Refusal,
} from '#core/session/commands.ts';
import { acceptDefinition } from '#core/session/decide-outcome.ts';
import { closeRequest, event, goIdle, leaveOutcome, resultOf, sessionIdle, settled } from '#core/session/entries.ts';
import { childSettled, endChildren, withChild } from '#core/session/tell.ts';
import { awaitedCalls, isActive, isAtWork } from '#core/session/waiting.ts';

type InputOf<Type extends EventInput['type']> = Extract<EventInput, { type: Type }>;

/** Limits of the queue: each append stores it in the folded state, and one model request takes all of it. */
export const MAX_QUEUED = 200;
const MAX_QUEUED_CHARS = 20_000_000;

/** The API's own words. */
const INTERRUPTED = 'Tool execution was interrupted before completion. Please retry.';

export function decideSend(
  head: Head,
  { events: inputs, files }: CommandTo<'send'>,
  { stamp, others }: { readonly stamp: Stamp; readonly others: OtherHeads },
): Decision {
  if (head.state.status === 'terminated') {
    return { status: 'refused', message: 'the session is terminated and accepts no further events' };
  }
  let accepted = decided(head);
  for (const [index, input] of inputs.entries()) {
    const field = `events.${index}`;
    const next = accept({ before: accepted, field, inputs, index, files, stamp, others }, input);
    if (next.status === 'refused') return next;
    accepted = next;
  }
  const children = accepted.beside.reduce((done, child) => childSettled(done, child, stamp), accepted);
  return settled(children, stamp);
}

/** The events before one are accepted; `field` names it in refusals. */
interface Accepting {
  readonly before: Decided;
  readonly field: string;
  readonly inputs: readonly EventInput[];
  readonly index: number;
  readonly files: HeldFiles | undefined;
  readonly stamp: Stamp;
  readonly others: OtherHeads;
}

/** Events to a child change its log, and the primary thread's tells of that. */
function accept(accepting: Accepting, input: EventInput): Decision {
  const { before, field, stamp } = accepting;
  const own = before.head.state.thread;
  const named = threadNamed(input);
  const child = childOf(before.head.state, input);
  if (named !== null && named !== (child ?? own)) {
    return refused(`${field}.session_thread_id`, 'there is no such thread in this session');
  }
  if (child === null) return acceptOwn(accepting, input);
  const after = headOf(accepting, child);
  if (after === null) return refused(`${field}.session_thread_id`, 'there is no such thread in this session');
  if (after.state.status === 'terminated') {
    return refused(`${field}.session_thread_id`, 'this thread has ended and accepts no further events');
  }
  const taken = acceptOwn({ ...accepting, before: decided(after) }, input);
  if (taken.status === 'refused') return taken;
  const { entries, head } = taken;
  return withChild(before, { thread: child, after, entries, head }, stamp);
}

/** As the events before this one leave it. */
function headOf({ before, others }: Accepting, child: ThreadId): Head | null {
  return before.beside.find(({ thread }) => thread === child)?.head ?? others.get(child) ?? null;
}

function threadNamed(input: EventInput): ThreadId | null {
  return 'session_thread_id' in input ? (input.session_thread_id ?? null) : null;
}

/** The child that an event is for: the one it names, or whose call it answers. Null for the thread of this log. */
export function childOf({ thread, team }: SessionState, input: EventInput): ThreadId | null {
  switch (input.type) {
    case 'user.interrupt': {
      const named = input.session_thread_id ?? thread;
      return named === thread ? null : named;
    }
    case 'user.tool_confirmation':
      return asking(team, input.tool_use_id);
    case 'user.custom_tool_result':
      return asking(team, input.custom_tool_use_id);
    default:
      return null;
  }
}

function asking(team: SessionState['team'], call: EventId): ThreadId | null {
  return team?.busy.find(({ calls }) => calls.includes(call))?.thread ?? null;
}

function acceptOwn(accepting: Accepting, input: EventInput): Decision {
  switch (input.type) {
    case 'user.message':
      return acceptMessage(accepting, input);
    case 'system.message':
      return acceptSystemMessage(accepting, input);
    case 'user.interrupt':
      return acceptInterrupt(accepting, input);
    case 'user.tool_confirmation':
      return acceptConfirmation(accepting, input);
    case 'user.custom_tool_result':
      return acceptCustomResult(accepting, input);
    case 'user.define_outcome':
      return acceptDefinition(accepting, input);
    default:
      return input satisfies never;
  }
}

function acceptMessage(accepting: Accepting, input: InputOf<'user.message'>): Decision {
  const { state } = accepting.before.head;
  const awaited = isAtWork(state) ? [] : awaitedCalls(state);
  if (awaited.length > 0) {
    const ids = awaited.join(', ');
    return refused(
      accepting.field,
      `the session requires action on ${ids}: answer these, or send user.interrupt first`,
    );
  }
  return enqueued(accepting, input);
}

function enqueued({ before, files, stamp }: Accepting, input: InputOf<'user.message' | 'system.message'>): Decision {
  const { queued } = before.head.state;
  const waiting = queued.reduce((chars, message) => chars + message.chars, 0);
  if (queued.length < MAX_QUEUED && waiting <= MAX_QUEUED_CHARS) {
    const queuing = event({ id: stamp.eventId(), processed_at: null, ...input });
    return extended(before, [withHeld(queuing, input.content, files)]);
  }
  return { status: 'refused', message: `too much waits for the agent: at most ${MAX_QUEUED} messages can` };
}

function acceptSystemMessage(accepting: Accepting, input: InputOf<'system.message'>): Decision {
  const { before, field, inputs, index } = accepting;
  const { state } = before.head;
  if (!habitsOf(state.model).midConversationSystem) {
    const errorCode = 'model_does_not_support_mid_conversation_system';
    return { ...refused(field, `${state.model} takes no system messages in mid-conversation`), errorCode };
  }
  if (index < inputs.length - 1) return refused(field, 'a system.message must be the last event of its request');
  const previous = inputs[index - 1];
  const follows = previous?.type === 'user.message' || previous?.type === 'user.custom_tool_result';
  // A system message alone waits for the next message, which is harmless only while nothing else is under way.
  const rests = previous === undefined && !isActive(state) && state.calls.length === 0;
  if (!follows && !rests) {
    return refused(field, 'a system.message must directly follow a user.message or a user.custom_tool_result');
  }
  return enqueued(accepting, input);
}

/** An interrupt that names no thread ends the work of all: the children's first, so that the session rests once. */
function acceptInterrupt(accepting: Accepting, input: InputOf<'user.interrupt'>): Decision {
  const { stamp } = accepting;
  const isOfAll = (input.session_thread_id ?? null) === null;
  const before = isOfAll ? interruptChildren(accepting, input) : accepting.before;
  const hasStopped = before !== accepting.before;
  const { state } = before.head;
  const thread = input.session_thread_id ?? null;
  const interrupt = {
    id: stamp.eventId(),
    type: input.type,
    ...(thread === null ? {} : { session_thread_id: thread }),
  };
  const applied = extended(before, [
    event({ ...interrupt, processed_at: null }),
    ...closeRequest(state, stamp),
    ...state.calls.map((call) => resultOf(call, errorText(INTERRUPTED), stamp)),
    event({ ...interrupt, processed_at: stamp.now() }),
  ]);
  // A session that waited, and has its last call answered in this request, is about to run: that turn ends, too.
  const rests = !isActive(state) && state.calls.length === 0 && state.stopReason?.type !== 'requires_action';
  // An outcome that was defined in this request ends without having begun.
  const left = extended(applied, leaveOutcome(applied.head.state.outcome, 'end_turn', stamp));
  if (!rests) return extended(left, goIdle(left.head.state, { type: 'end_turn' }, stamp));
  return hasStopped ? extended(left, sessionIdle(left.head.state, stamp)) : left;
}

/** What they report begins no run: it waits for the user's next message. */
function interruptChildren(accepting: Accepting, input: InputOf<'user.interrupt'>): Decided {
  return endChildren(
    accepting.before,
    {
      headOf: (thread, before) => headOf({ ...accepting, before }, thread),
      end: (child) => acceptInterrupt({ ...accepting, before: decided(child) }, input),
    },
    accepting.stamp,
  );
}

function acceptConfirmation({ before, field, stamp }: Accepting, input: InputOf<'user.tool_confirmation'>): Decision {
  const { state } = before.head;
  const call = openCall(state, input.tool_use_id, 'confirmation');
  if (call === null) {
    return refused(`${field}.tool_use_id`, 'is not a tool use that waits for a confirmation in this session');
  }
  const message = input.deny_message ?? '';
  const confirmation = {
    id: stamp.eventId(),
    type: input.type,
    tool_use_id: input.tool_use_id,
    result: input.result,
    ...(message === '' ? {} : { deny_message: message }),
  };
  return extended(before, [
    event({ ...confirmation, processed_at: null }),
    event({ ...confirmation, processed_at: stamp.now() }),
    ...(input.result === 'deny' ? [resultOf(call, errorText(denial(call, message)), stamp)] : []),
  ]);
}

function acceptCustomResult(
  { before, field, files, stamp }: Accepting,
  input: InputOf<'user.custom_tool_result'>,
): Decision {
  const { state } = before.head;
  const call = openCall(state, input.custom_tool_use_id, 'client');
  if (call === null) {
    return refused(`${field}.custom_tool_use_id`, 'is not a custom tool use that waits for a result in this session');
  }
  const result = event({
    id: stamp.eventId(),
    type: input.type,
    processed_at: stamp.now(),
    custom_tool_use_id: input.custom_tool_use_id,
    ...(input.content == null ? {} : { content: input.content }),
    ...(input.is_error == null ? {} : { is_error: input.is_error }),
  });
  return extended(before, [withHeld(result, input.content ?? [], files)]);
}

/** The blocks of an event in which files can be named. */
export function contentOf(input: EventInput): ToolContent {
  return input.type === 'user.message' || input.type === 'user.custom_tool_result' ? (input.content ?? []) : [];
}

export function nameRubrics(inputs: readonly EventInput[]): boolean {
  return inputs.some((input) => input.type === 'user.define_outcome' && input.rubric.type === 'file');
}

export function nameFiles(inputs: readonly EventInput[]): boolean {
  return inputs.some((input) => filesIn(contentOf(input)).length > 0);
}

function withHeld(entry: Entry, content: ToolContent, files: HeldFiles = {}): Entry {
  const named = filesIn(content).map(({ block }): [FileId, HeldFile] => {
    const { file_id } = block.source;
    const held = files[file_id];
    if (held === undefined) throw new TypeError('what the files of events hold is found before they are sent');
    return [file_id, held];
  });
  return named.length === 0 ? entry : { ...entry, files: Object.fromEntries(named) };
}

function openCall(state: SessionState, id: EventId, waitsFor: OpenCall['waitsFor']): OpenCall | null {
  return state.calls.find((call) => call.id === id && call.waitsFor === waitsFor) ?? null;
}

function denial(call: OpenCall, message: string): string {
  const denied = `The user rejected this use of ${call.name}; it was not executed.`;
  return message === '' ? denied : `${denied} They said: ${message}`;
}

function errorText(text: string) {
  return { content: [{ type: 'text' as const, text }], isError: true };
}

function refused(field: string, message: string): Refusal {
  return { status: 'refused', field, message };
}

/** One model answer becomes one append: messages, tool uses, the end of the span and, if no hand is needed, idle. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { EventId, Instant } from '#contract/ids.ts';
import type { StopDetails, StopReason } from '#contract/events.ts';
import type { McpVerdict } from '#contract/mcp-proxy.ts';
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import type { ToolRule } from '#core/tools/tool-definitions.ts';
import { exceededTokens, usedTokens, WINDOW_EXCEEDED } from '#core/model/room.ts';
import type { ContentBlock, ModelAnswer } from '#core/ports/model.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import {
  decided,
  extended,
  type CommandTo,
  type Decided,
  type Delegation,
  type Delegations,
} from '#core/session/commands.ts';
import { delegate, type Delegating, type DelegatingCall } from '#core/session/delegate.ts';
import { endOfRequest, endTurn, event, goIdle, requiresAction, resultOf } from '#core/session/entries.ts';
import { permissionOf } from '#core/session/permission.ts';
import { serverCalls, type ServerCall } from '#core/session/server-calls.ts';
import { blockedCalls, hasInput, readyCalls } from '#core/session/waiting.ts';

/** The result of a call on which the proxy gave no verdict. */
const UNJUDGED = 'Whether this call is permitted could not be found out, so it was not executed. Try again later.';

type Answer = CommandTo<'answer'>;

interface ToolCall {
  readonly id: EventId;
  readonly key: string;
  readonly providerId: string;
  readonly name: string;
  readonly input: Record<string, unknown>;
  /** Undefined for a tool that this agent does not have. */
  readonly rule: ToolRule | undefined;
  /** Undefined for a call that is no MCP call, or that the proxy has not judged. */
  readonly verdict: McpVerdict | undefined;
  /** Why this call is not executed; null when it is. */
  readonly denial: string | null;
}

export function decideAnswer(head: Head, command: Answer, { stamp, others }: Delegating): Decided {
  const { state } = head;
  // Another attempt closed this request and owns the turn now.
  if (state.request?.id !== command.request) return decided(head);
  const now = stamp.now();
  const made = toolCalls(command, stamp);
  const calls = made.filter(({ rule }) => rule?.kind !== 'delegation');
  const said = decided(head, [
    { record: answered(state, command, made, now) },
    ...spoken(command, now),
    ...serverCalls(command.answer.blocks, command.earlier).flatMap((call) => served(call, stamp)),
    ...calls.map((call) => toolUse(call, now)),
    endOfRequest(command.request, { isError: false, usage: command.answer.usage }, stamp),
    ...calls.flatMap((call) => (call.denial === null ? [] : [denied(call, call.denial, stamp)])),
  ]);
  const delegating = delegatingCalls(made, command);
  const delegated = delegating.reduce((before, call) => delegate(before, call, { stamp, others }), said);
  return extended(delegated, ending(delegated.head.state, command, stamp));
}

const UNKNOWN: Delegation = { do: 'tell', text: 'This call could not be read.', isError: true };

/** The threads begin before the agent lists them, or waits for one of them. */
function delegatingCalls(calls: readonly ToolCall[], { delegations }: Answer): readonly DelegatingCall[] {
  const delegating = calls.flatMap(({ id, key, rule, denial }): readonly DelegatingCall[] => {
    if (rule?.kind !== 'delegation') return [];
    const delegation = denial === null ? delegations?.get(key) : ({ do: 'tell', text: denial, isError: true } as const);
    return [{ id, delegation: delegation ?? UNKNOWN }];
  });
  return delegating.toSorted((one, other) => Number(readsThreads(one)) - Number(readsThreads(other)));
}

function readsThreads({ delegation }: DelegatingCall): boolean {
  return delegation.do === 'list' || delegation.do === 'wait';
}

/** Stop reasons of answers that the model has to continue; after the second one when there is room again. */
const UNFINISHED: ReadonlySet<string> = new Set(['pause_turn', WINDOW_EXCEEDED]);

/** The end of the turn; no entries while a hand or the model has to go on. */
function ending(state: SessionState, { answer, delegations }: Answer, stamp: Stamp): readonly Entry[] {
  if (readyCalls(state).length > 0) return [];
  const blocked = blockedCalls(state);
  if (blocked.length > 0) return goIdle(state, requiresAction(blocked), stamp);
  if (awaitsReport(state, delegations)) return endTurn(state, { reason: { type: 'end_turn' }, details: null }, stamp);
  // The model reads why its calls were denied, unless it refuses to go on.
  const calledInVain = answer.stopReason !== 'refusal' && answer.blocks.some((block) => block.type === 'tool_use');
  if (calledInVain || hasInput(state) || UNFINISHED.has(answer.stopReason)) return [];
  return endTurn(state, stopOf(answer), stamp);
}

/** The agent asked for the next report, or for advice: its turn ends, and what it waits for begins the next one. */
function awaitsReport(state: SessionState, delegations: Delegations | undefined): boolean {
  if (delegations === undefined || (state.team?.busy ?? []).length === 0 || hasInput(state)) return false;
  return [...delegations.values()].some(
    (delegation) => delegation.do === 'wait' || (delegation.do === 'begin' && delegation.name === ADVISOR_NAME),
  );
}

function answered(state: SessionState, command: Answer, calls: readonly ToolCall[], at: Instant) {
  return {
    kind: 'model.answered' as const,
    request: command.request,
    at,
    model: command.answer.model,
    stopReason: command.answer.stopReason,
    blocks: [...command.answer.blocks],
    calls: calls.map(({ id, providerId }) => ({ id, providerId })),
    contextTokens: contextTokens(state, command.answer),
  };
}

/** The provider's word counts for more than its numbers: its window may be smaller than the model's table says. */
function contextTokens(state: SessionState, { stopReason, usage }: ModelAnswer): number {
  const used = usedTokens(usage);
  return stopReason === WINDOW_EXCEEDED ? Math.max(used, exceededTokens(state)) : used;
}

function spoken({ answer, ids }: Answer, now: Instant): readonly Entry[] {
  const thought = answer.blocks.some((block) => block.type === 'thinking' || block.type === 'redacted_thinking');
  const content = answer.blocks.flatMap((block) =>
    block.type === 'text' && typeof block['text'] === 'string' && block['text'].trim() !== ''
      ? [{ type: 'text' as const, text: block['text'] }]
      : [],
  );
  return [
    ...(thought ? [event({ id: ids.thinking, type: 'agent.thinking', processed_at: now })] : []),
    ...(content.length > 0 ? [event({ id: ids.message, type: 'agent.message', processed_at: now, content })] : []),
  ];
}

/** A call that the provider made: its use and its result are told together. */
function served({ name, input, content, isError }: ServerCall, stamp: Stamp): readonly Entry[] {
  const use = { id: stamp.eventId(), processed_at: stamp.now(), name, input: { ...input } };
  const evaluation = { type: 'always_allow' } as const;
  return [
    event({ ...use, type: 'agent.tool_use', evaluated_permission: 'allow', evaluation }),
    resultOf({ id: use.id, waitsFor: 'hand', server: null }, { content, isError }, stamp),
  ];
}

function toolCalls(command: Answer, stamp: Stamp): readonly ToolCall[] {
  return callsIn(command.answer).map((call) => toolCall(call, command, stamp));
}

interface WrittenCall {
  /** The provider's id; a call that repeats the id of an earlier one of its answer has its number added. */
  readonly key: string;
  readonly block: ContentBlock;
}

export function callsIn({ blocks }: ModelAnswer): readonly WrittenCall[] {
  const uses = blocks.filter((block) => block.type === 'tool_use');
  return uses.map((block, index) => {
    const id = String(block['id']);
    const isFirst = uses.findIndex((use) => use['id'] === block['id']) === index;
    return { key: isFirst ? id : `${id}#${index}`, block };
  });
}

function toolCall({ key, block }: WrittenCall, command: Answer, stamp: Stamp): ToolCall {
  const name = String(block['name']);
  const rule = command.rules.get(name);
  const verdict = command.verdicts.get(key);
  return {
    id: verdict?.id ?? stamp.eventId(),
    key,
    providerId: String(block['id']),
    name,
    input: isRecord(block['input']) ? block['input'] : {},
    rule,
    verdict,
    denial: denialOf(block, { rule, verdict }, command),
  };
}

function denialOf(
  block: ContentBlock,
  { rule, verdict }: Pick<ToolCall, 'rule' | 'verdict'>,
  { answer }: Answer,
): string | null {
  if (rule === undefined) return `There is no tool named ${String(block['name'])} in this session.`;
  if (!isComplete(block, answer)) {
    return `The answer ended (${answer.stopReason}) before this call was complete, so it was not executed.`;
  }
  if (rule.kind !== 'mcp') return null;
  // What cannot be judged is denied.
  if (verdict === undefined) return UNJUDGED;
  return verdict.decision === 'deny' ? verdict.reason : null;
}

/** Whether the model finished writing the call. */
export function isComplete(call: ContentBlock, answer: ModelAnswer): boolean {
  return isRecord(call['input']) && !CUTTING.has(answer.stopReason);
}

/** Stop reasons that cut an answer off: its last call may be half written. */
const CUTTING: ReadonlySet<string> = new Set(['max_tokens', WINDOW_EXCEEDED, 'refusal']);

function toolUse(call: ToolCall, now: Instant): Entry {
  const { id, name, input, rule, denial } = call;
  const use = { id, processed_at: now, name, input };
  switch (rule?.kind) {
    case 'mcp':
      return event({
        ...use,
        type: 'agent.mcp_tool_use',
        name: rule.tool,
        mcp_server_name: rule.server,
        ...permissionOf(rule.policy, call),
      });
    case 'built-in':
      return event({ ...use, type: 'agent.tool_use', ...permissionOf(rule.policy, call) });
    // Clients execute every custom tool use that they see, so a denied one is told as a use of another kind.
    case 'custom':
      if (denial === null) return event({ ...use, type: 'agent.custom_tool_use' });
      return event({ ...use, type: 'agent.tool_use', evaluated_permission: 'deny' });
    case 'delegation':
    case undefined:
      return event({ ...use, type: 'agent.tool_use', evaluated_permission: 'deny' });
    default:
      return rule satisfies never;
  }
}

function denied({ id, rule }: ToolCall, text: string, stamp: Stamp): Entry {
  const server = rule?.kind === 'mcp' ? rule.server : null;
  return resultOf({ id, waitsFor: 'hand', server }, { content: [{ type: 'text', text }], isError: true }, stamp);
}

function stopOf(answer: ModelAnswer): { reason: StopReason; details: StopDetails } {
  if (answer.stopReason !== 'refusal') return { reason: { type: 'end_turn' }, details: null };
  const { category, explanation } = answer.stopDetails ?? { category: null, explanation: null };
  return { reason: { type: 'refusal' }, details: { type: 'refusal', category, explanation } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

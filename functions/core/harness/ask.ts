/** The model request for an answer. */
import { eventIn } from '#contract/entries.ts';
import { SANDBOX_TOOLS } from '#contract/hands.ts';
import { mainHand, type EventId } from '#contract/ids.ts';
import { buildRequest } from '#core/harness/context.ts';
import { leaveOut } from '#core/harness/culprit.ts';
import { delegationsOf } from '#core/harness/delegations.ts';
import { queuedMessages, type Slice } from '#core/harness/history.ts';
import { requestModel, type RequestOutcome, type Purpose } from '#core/harness/model-request.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { canMakeRoom, WINDOW_EXCEEDED } from '#core/model/room.ts';
import { agentOf, earlierBlocks, offeredTools, newest } from '#core/model/slice.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { createPreview } from '#core/previews/preview.ts';
import { MAX_FAILURES, type Command, type CommandTo, type Verdicts } from '#core/session/commands.ts';
import { heldHand } from '#core/session/waiting.ts';
import { toolRules, type ToolRules } from '#core/tools/tool-definitions.ts';
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import { callsIn, isComplete } from '#core/session/decide-answer.ts';

/** A sandbox used within this time is still there; an older one may have stopped idle, so it is provisioned early again. */
const WARM_FOR_MS = 25 * 60_000;

export function ask(world: TurnWorld, key: LogKey, slice: Slice, signal: AbortSignal): Promise<RequestOutcome> {
  return requestModel(world, key, { slice, purpose: answering(world, key, slice), signal });
}

function answering(world: TurnWorld, key: LogKey, before: Slice): Purpose {
  const request = world.stamp.eventId();
  const ids = { message: world.stamp.eventId(), thinking: world.stamp.eventId() };
  const preview = createPreview(world, key, { request, ids });
  let warming: Promise<void> | null = isWarm(world, before) ? Promise.resolve() : null;
  return {
    request,
    taken: queuedMessages(before),
    listener: {
      onFirstToken: () => undefined,
      onThinking: preview.onThinking,
      onText: preview.onText,
      onToolStart: (name) => {
        // Provisioning begins early; the run's own Provision step repeats it and reports what fails.
        if (SANDBOX_TOOLS.some((tool) => tool === name))
          warming ??= world.warming
            .warm(key, heldHand(before.head.state) ?? mainHand(key.session))
            .catch(() => undefined);
      },
    },
    build: ({ entries }) => buildRequest(entries),
    async accept(slice, answer) {
      await warming;
      const crowded = crowdedOut(slice, request, answer);
      if (crowded !== null) return crowded;
      const rules = toolRules(agentOf(slice.entries), offeredTools(slice.entries));
      const verdicts = await verdictsOf(world, key, { answer, rules });
      const delegates = [...rules.values()].some(({ kind }) => kind === 'delegation');
      const delegations = delegates ? await delegationsOf(world, key, slice, { answer, rules }) : undefined;
      const earlier = earlierBlocks(slice.entries);
      return { do: 'answer', request, answer, rules, ids, verdicts, earlier, ...(delegations && { delegations }) };
    },
    fail: (slice, failure, path) => (failure.verdict === 'refused' ? refused(slice, failure, path) : failure),
    end: preview.end,
  };
}

/** An answer that was cut off before it said anything is a failure: the same is asked again when there is room. */
function crowdedOut({ head }: Slice, request: EventId, { stopReason, blocks, usage }: ModelAnswer): Command | null {
  const isSilent = !blocks.some(
    (block) => block.type === 'tool_use' || (block.type === 'text' && String(block['text'] ?? '').trim() !== ''),
  );
  if (stopReason !== WINDOW_EXCEEDED || !isSilent || !canMakeRoom(head.state)) return null;
  const message = 'The context is larger than the model’s window.';
  return { do: 'fail', request, error: 'model_request_failed_error', message, verdict: 'too large', usage };
}

/** The next attempt leaves out what may be to blame, until nothing more can be. */
function refused({ entries, head }: Slice, failure: CommandTo<'fail'>, path: string | null): CommandTo<'fail'> {
  const isLast = head.state.failures + 1 >= MAX_FAILURES;
  const leftOut = isLast ? null : leaveOut(entries, path);
  return leftOut === null
    ? { ...failure, verdict: 'exhausted', leftOut: { named: null, tried: [] } }
    : { ...failure, leftOut };
}

function isWarm({ stamp }: Pick<TurnWorld, 'stamp'>, { entries }: Slice): boolean {
  const last = newest(entries, (entry) => {
    const event = eventIn(entry);
    return event?.type === 'agent.tool_result' ? event : null;
  });
  return last !== null && Date.parse(stamp.now()) - Date.parse(last.processed_at) < WARM_FOR_MS;
}

/** Of the answer's MCP calls, by the key of each; the others need no verdict. */
async function verdictsOf(
  { mcp, stamp }: Pick<Ports, 'mcp' | 'stamp'>,
  key: LogKey,
  { answer, rules }: { readonly answer: ModelAnswer; readonly rules: ToolRules },
): Promise<Verdicts> {
  const wanted = callsIn(answer).flatMap(
    ({ key: written, block }): readonly { written: string; call: WantedCall }[] => {
      const rule = rules.get(String(block['name']));
      if (rule?.kind !== 'mcp' || !isComplete(block, answer)) return [];
      const { server, tool } = rule;
      // A record: the check above has seen it.
      const input = block['input'] as Record<string, unknown>;
      return [{ written, call: { id: stamp.eventId(), server, tool, input } }];
    },
  );
  if (wanted.length === 0) return new Map();
  const calls = wanted.map(({ call }) => call);
  const verdicts = await mcp.judge(key, calls).catch((error: unknown) => unjudged(calls, error));
  return new Map(
    wanted.map(({ written, call }) => [written, verdicts.find(({ id }) => id === call.id) ?? leftToHand(call)]),
  );
}

/**
 * Without the proxy, which alone knows what the workspace forbids and alone can record a refusal, a call is told as the
 * agent's own policy has it. Nothing is permitted by that: the proxy judges a call again before it makes it, and denies
 * and records there what it would have denied here. To deny it now would be a refusal that is nowhere on record, and to
 * fail the turn would throw away an answer that is paid for.
 */
function unjudged(calls: readonly WantedCall[], error: unknown): readonly McpVerdict[] {
  if (error instanceof Fault && error.code === 'mcp_proxy_unavailable') return calls.map(leftToHand);
  throw error;
}

function leftToHand({ id }: WantedCall): McpVerdict {
  return { id, decision: 'allow', reason: '' };
}

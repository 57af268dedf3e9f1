/**
 * Claim, ask for a summary, append: the model request that makes room in the model's window (contract §7.6). It is
 * fenced, retried and counted like any other. Nobody waits for its words, so its claim is in the log before it is made.
 */
import type { EventId } from '#contract/ids.ts';
import type { Fault } from '#core/ports/errors.ts';
import { failureOf, faultOf, overtaken, type Asked, type Heard } from '#core/harness/asked.ts';
import { queuedMessages, storyAfter, type Story } from '#core/harness/history.ts';
import { reportTurn } from '#core/harness/report-turn.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { agentOf } from '#core/model/slice.ts';
import { MAX_FAILURES } from '#core/session/commands.ts';
import { WINDOW_EXCEEDED } from '#core/model/room.ts';
import { buildSummaryRequest, summaryIn } from '#core/harness/summary.ts';
import type { ModelAnswer, ModelListener } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { change, prepare } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { whileItStands } from '#core/session/watch.ts';

/** Nobody sees a summary being written. */
const UNHEARD: ModelListener = {
  onFirstToken: () => undefined,
  onToolStart: () => undefined,
  onThinking: () => undefined,
  onText: () => undefined,
};

export async function compact(world: TurnWorld, key: LogKey, story: Story, signal: AbortSignal): Promise<Asked> {
  const request = world.stamp.eventId();
  // What waits stays in the queue: the summary is of what was answered.
  const claim = prepare(key, story.head, { do: 'claim', request, taken: [] }, world.stamp);
  if (claim === 'nothing' || 'message' in claim) return { status: 'fenced', run: story.head.state.run };
  const claimed = await world.log.append(claim);
  if (claimed.status === 'conflict') return overtaken(world, key, story.head, claimed.head);
  const mine = world.history.extend(key, story, claimed.head, claim.entries);
  const began = Date.parse(world.stamp.now());
  const cutOff = new AbortController();
  const heard = await whileItStands(world, key, {
    stands: (state) => state.request?.id === request,
    work: summarise(world, mine, AbortSignal.any([signal, cutOff.signal])),
    cutOff: () => cutOff.abort(),
  });
  const asked = await settle(world, key, { story: mine, request, heard });
  const durationMs = Date.parse(world.stamp.now()) - began;
  reportTurn(world, key, { asked, run: mine.head.state.run, result: heard, ttftMs: null, durationMs });
  return asked;
}

function summarise(world: TurnWorld, { entries, head }: Story, signal: AbortSignal): Promise<Heard> {
  return world.model.ask(buildSummaryRequest(entries, head.state), UNHEARD, signal).then<Heard, Heard>(
    (answer) => ({ status: 'answer', answer }),
    (error: unknown) => ({ status: 'error', error }),
  );
}

async function settle(
  world: TurnWorld,
  key: LogKey,
  { story, request, heard }: { readonly story: Story; readonly request: EventId; readonly heard: Heard },
): Promise<Asked> {
  const fault = heard.status === 'error' ? faultOf(heard.error) : null;
  const command =
    heard.status === 'answer' ? outcomeOf(story, request, heard.answer) : failed(story, request, faultOf(heard.error));
  const changed = await change(world, key, story.head, command);
  if (changed.status !== 'changed') return { status: 'fenced', run: story.head.state.run };
  const after = await storyAfter(world, key, story, changed);
  if (command.do === 'compacted') return { status: 'compacted', story: after };
  return { status: 'failed', story: after, retryAfterSeconds: fault?.retryAfterSeconds ?? null };
}

function outcomeOf(story: Story, request: EventId, answer: ModelAnswer): Command {
  const { usage, stopReason } = answer;
  const summary = summaryIn(answer);
  // What was cut off for want of room may lack what matters most: the next attempt shortens what is summarised.
  if (summary !== null && stopReason !== WINDOW_EXCEEDED) {
    return { do: 'compacted', request, summary, usage, agent: agentOf(story.entries) };
  }
  const isLast = story.head.state.failures + 1 >= MAX_FAILURES;
  return {
    do: 'fail',
    request,
    error: 'model_request_failed_error',
    message: 'The model gave no summary of the conversation.',
    verdict: stopReason === WINDOW_EXCEEDED ? 'too large' : isLast ? 'exhausted' : 'retrying',
    usage,
    taken: queuedMessages(story),
  };
}

/** Of a conversation that was accepted piece by piece, only its size, or an attachment in it, can be refused. */
function failed(story: Story, request: EventId, fault: Fault): Command {
  const failure = { ...failureOf(story, request, fault), taken: queuedMessages(story) };
  return failure.verdict === 'refused' ? { ...failure, verdict: 'too large' } : failure;
}

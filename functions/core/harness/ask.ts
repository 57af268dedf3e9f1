/** Claim, ask, append: one model request (design §3). */
import { SANDBOX_TOOLS } from '#contract/hands.ts';
import type { EventId } from '#contract/ids.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { failureOf, faultOf, overtaken, type Asked, type Heard } from '#core/harness/asked.ts';
import { buildRequest } from '#core/harness/context.ts';
import { queuedMessages, storyAfter, type Story } from '#core/harness/history.ts';
import { judgeCalls } from '#core/harness/judge.ts';
import { reportTurn } from '#core/harness/report-turn.ts';
import { canMakeRoom, WINDOW_EXCEEDED } from '#core/model/room.ts';
import { agentOf, earlierBlocks, offeredTools } from '#core/model/slice.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { toolRules } from '#core/tools/tool-rules.ts';
import { createPreview, type Preview } from '#core/previews/preview.ts';
import type { AnswerIds, Command } from '#core/session/commands.ts';
import { change, prepare } from '#core/session/change.ts';
import { whileItStands } from '#core/session/watch.ts';

/** A sandbox used within this time is still there; an older one may have stopped idle, so it is provisioned early again. */
const WARM_FOR_MS = 25 * 60_000;

export async function ask(world: TurnWorld, key: LogKey, story: Story, signal: AbortSignal): Promise<Asked> {
  const request = world.stamp.eventId();
  const ids = { message: world.stamp.eventId(), thinking: world.stamp.eventId() };
  const claim = prepare(key, story.head, { do: 'claim', request, taken: queuedMessages(story) }, world.stamp);
  if (claim === 'nothing' || 'message' in claim) return { status: 'fenced', run: story.head.state.run };
  // The claim and the request travel side by side; nothing of the answer is used before the claim is in the log, and a
  // lost claim cuts the request off.
  const cutOff = new AbortController();
  const preview = createPreview(world, key, { request, ids });
  const listening = listen(world, key, {
    story: { ...story, entries: [...story.entries, ...claim.entries] },
    preview,
    signal: AbortSignal.any([signal, cutOff.signal]),
  });
  const stop = async () => {
    cutOff.abort();
    await preview.end();
  };
  const claimed = await world.log.append(claim).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  if (claimed.status === 'conflict') {
    await stop();
    return overtaken(world, key, story.head, claimed.head);
  }
  const heard = await whileItStands(world, key, {
    stands: (state) => state.request?.id === request,
    work: listening.heard,
    cutOff: () => cutOff.abort(),
  });
  const mine = world.history.extend(key, story, claimed.head, claim.entries);
  const [asked] = await Promise.all([settle(world, key, { story: mine, request, ids, heard }), preview.end()]);
  listening.report(asked, mine.head.state.run);
  return asked;
}

/** Asks the model and measures it; early provisioning starts with the first sandbox tool in the stream. */
function listen(
  world: TurnWorld,
  key: LogKey,
  { story, preview, signal }: { readonly story: Story; readonly preview: Preview; readonly signal: AbortSignal },
) {
  const began = Date.parse(world.stamp.now());
  const sinceBegan = () => Date.parse(world.stamp.now()) - began;
  let ttftMs: number | null = null;
  let warming: Promise<void> | null = warmlyUsed(world, story) ? Promise.resolve() : null;
  const answering = world.model.ask(
    buildRequest(story.entries),
    {
      onFirstToken: () => {
        ttftMs ??= sinceBegan();
      },
      onThinking: preview.onThinking,
      onText: preview.onText,
      onToolStart: (name) => {
        // Only a head start: the run's own Provision step repeats it, and reports what fails.
        if (SANDBOX_TOOLS.some((tool) => tool === name)) warming ??= world.warming.warm(key).catch(() => undefined);
      },
    },
    signal,
  );
  const heard = answering.then<Heard, Heard>(
    async (answer) => {
      await warming;
      return { status: 'answer', answer };
    },
    (error: unknown) => ({ status: 'error', error }),
  );
  const report = (asked: Asked, run: number) => {
    void heard.then((result) => reportTurn(world, key, { asked, run, result, ttftMs, durationMs: sinceBegan() }));
  };
  return { heard, report };
}

/** Appends what came of the request, wherever the head is by then. */
async function settle(
  world: TurnWorld,
  key: LogKey,
  turn: { story: Story; request: EventId; ids: AnswerIds; heard: Heard },
): Promise<Asked> {
  const { story, request, heard } = turn;
  const run = story.head.state.run;
  const fault = heard.status === 'error' ? faultOf(heard.error) : null;
  const command: Command =
    heard.status === 'answer'
      ? (crowdedOut(story, request, heard.answer) ?? (await accepting(world, key, { ...turn, answer: heard.answer })))
      : failureOf(story, request, fault ?? faultOf(heard.error));
  const changed = await change(world, key, story.head, command);
  if (changed.status !== 'changed') return { status: 'fenced', run };
  const after = await storyAfter(world, key, story, changed);
  if (command.do === 'answer') return { status: 'answered', story: after };
  return { status: 'failed', story: after, retryAfterSeconds: fault?.retryAfterSeconds ?? null };
}

async function accepting(
  world: TurnWorld,
  key: LogKey,
  {
    story: { entries },
    request,
    ids,
    answer,
  }: { readonly story: Story; readonly request: EventId; readonly ids: AnswerIds; readonly answer: ModelAnswer },
): Promise<Command> {
  const rules = toolRules(agentOf(entries), offeredTools(entries));
  const verdicts = await judgeCalls(world, key, { answer, rules });
  return { do: 'answer', request, answer, rules, ids, verdicts, earlier: earlierBlocks(entries) };
}

/** An answer that had no room to say anything answers nothing: what it was asked is asked again when there is room. */
function crowdedOut({ head }: Story, request: EventId, { stopReason, blocks, usage }: ModelAnswer): Command | null {
  const isSilent = !blocks.some(
    (block) => block.type === 'tool_use' || (block.type === 'text' && String(block['text'] ?? '').trim() !== ''),
  );
  if (stopReason !== WINDOW_EXCEEDED || !isSilent || !canMakeRoom(head.state)) return null;
  const message = 'The context is larger than the model’s window.';
  return { do: 'fail', request, error: 'model_request_failed_error', message, verdict: 'too large', usage };
}

function warmlyUsed(world: TurnWorld, story: Story): boolean {
  const last = story.entries.findLast((entry) => 'event' in entry && entry.event.type === 'agent.tool_result');
  if (last === undefined || !('event' in last) || last.event.processed_at === null) return false;
  return Date.parse(world.stamp.now()) - Date.parse(last.event.processed_at) < WARM_FOR_MS;
}

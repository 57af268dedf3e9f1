/**
 * One model request, for an answer, a summary or a grader's verdict: claim, ask, append (docs/design.md#turns).
 *
 * The claim and the request travel side by side. Nothing of the answer is used before the claim is in the log, and a
 * lost claim cuts the request off.
 */
import type { EventId } from '#contract/ids.ts';
import type { QueuedEntry } from '#contract/entries.ts';
import type { TurnErrorType } from '#contract/events.ts';
import { holdsFiles } from '#core/harness/gate.ts';
import { backoffSeconds } from '#core/harness/next.ts';
import { sliceAfter, type Slice } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { canMakeRoom } from '#core/model/room.ts';
import { Fault, type FaultCode, errorClass } from '#core/ports/errors.ts';
import type { ModelAnswer, ModelListener, ModelRequest } from '#core/ports/model.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import { change, prepare } from '#core/session/change.ts';
import { MAX_FAILURES, type Command, type CommandTo } from '#core/session/commands.ts';
import { startsBeside } from '#core/session/send.ts';
import { whileItStands } from '#core/session/watch.ts';

export type RequestOutcome =
  | { readonly status: 'answered' | 'compacted' | 'graded'; readonly slice: Slice }
  | { readonly status: 'failed'; readonly slice: Slice; readonly waitSeconds: number }
  /** Another process appended before the claim, so the step is decided again. */
  | { readonly status: 'overtaken'; readonly slice: Slice }
  /** Another attempt owns the turn: this one ends. */
  | { readonly status: 'fenced'; readonly run: number };

type ModelReply =
  | { readonly status: 'answer'; readonly answer: ModelAnswer }
  | { readonly status: 'error'; readonly error: unknown };

/** What differs between a request for an answer and the others. */
export interface Purpose {
  readonly request: EventId;
  /** The queued messages that the request reads. */
  readonly taken: readonly QueuedEntry[];
  readonly listener: ModelListener;
  build(slice: Slice): ModelRequest;
  /** The command that the answer means; `fail` for an answer that is of no use. */
  accept(slice: Slice, answer: ModelAnswer): Command | Promise<Command>;
  /** The command that a failed request means; `path` is the place in the request that the provider refuses. */
  fail(slice: Slice, failure: CommandTo<'fail'>, path: string | null): CommandTo<'fail'>;
  /** Ends what the listener began. It resolves when none of it is under way. */
  end(): Promise<void>;
}

export async function requestModel(
  world: TurnWorld,
  key: LogKey,
  { slice, purpose, signal }: { readonly slice: Slice; readonly purpose: Purpose; readonly signal: AbortSignal },
): Promise<RequestOutcome> {
  const { request, taken } = purpose;
  const prepared = prepare(key, slice.head, { do: 'claim', request, taken }, world);
  if (prepared.status !== 'prepared') return { status: 'fenced', run: slice.head.state.run };
  const { append: claim } = prepared;
  const cutOff = new AbortController();
  const listening = listen(world, purpose, {
    request: purpose.build({ ...slice, entries: [...slice.entries, ...claim.entries] }),
    signal: AbortSignal.any([signal, cutOff.signal]),
  });
  const stop = async () => {
    cutOff.abort();
    await purpose.end();
  };
  const claimed = await world.log.append(claim).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  if (claimed.status === 'conflict') {
    await stop();
    return overtaken(world, key, slice.head, claimed.head);
  }
  const heard = await whileItStands(world, key, {
    stands: (state) => state.request?.id === request,
    work: listening.heard,
    cutOff: () => cutOff.abort(),
  });
  const mine = world.history.extend(key, slice, claimed.head, claim.entries);
  const [asked] = await Promise.all([appendOutcome(world, key, { slice: mine, purpose, heard }), purpose.end()]);
  reportTurn(world, key, { asked, run: mine.head.state.run, heard, ...listening.measured() });
  return asked;
}

/** Asks the model and measures it. */
function listen(
  { model, stamp, attachedFiles }: Pick<TurnWorld, 'model' | 'stamp' | 'attachedFiles'>,
  { listener }: Purpose,
  { request, signal }: { readonly request: ModelRequest; readonly signal: AbortSignal },
) {
  const began = Date.parse(stamp.now());
  let ttftMs: number | null = null;
  let durationMs = 0;
  const sinceBegan = () => Date.parse(stamp.now()) - began;
  const onFirstToken = () => {
    ttftMs ??= sinceBegan();
    listener.onFirstToken();
  };
  const ask = (whole: ModelRequest) => model.ask(whole, { ...listener, onFirstToken }, signal);
  const asked = holdsFiles(request) ? attachedFiles.fill(request).then(ask) : ask(request);
  const heard = asked.then<ModelReply, ModelReply>(
    (answer) => ({ status: 'answer', answer }),
    (error: unknown) => ({ status: 'error', error }),
  );
  void heard.then(() => {
    durationMs = sinceBegan();
  });
  return { heard, measured: () => ({ ttftMs, durationMs }) };
}

/** The state of the log that a lost claim found. */
async function overtaken(world: TurnWorld, key: LogKey, before: Head, head: Head): Promise<RequestOutcome> {
  const { request } = head.state;
  if (request !== null && request.position > before.position) return { status: 'fenced', run: before.state.run };
  const slice = await world.history.load(key);
  if (slice === null || slice.head.state.run !== before.state.run) return { status: 'fenced', run: before.state.run };
  return { status: 'overtaken', slice };
}

/** Appends what the request came to, wherever the head is by then. */
async function appendOutcome(
  world: TurnWorld,
  key: LogKey,
  { slice, purpose, heard }: { readonly slice: Slice; readonly purpose: Purpose; readonly heard: ModelReply },
): Promise<RequestOutcome> {
  const fault = heard.status === 'error' ? faultOf(heard.error) : null;
  const command =
    heard.status === 'answer'
      ? await purpose.accept(slice, heard.answer)
      : purpose.fail(slice, failureOf(slice, purpose.request, faultOf(heard.error)), fault?.path ?? null);
  // The threads that an answer begins are started beside its append.
  const changed = await change({ ...world, store: startsBeside(world) }, key, slice.head, command);
  if (changed.status !== 'changed') return { status: 'fenced', run: slice.head.state.run };
  const after = await sliceAfter(world, key, slice, changed);
  if (command.do === 'answer') return { status: 'answered', slice: after };
  if (command.do === 'compacted') return { status: 'compacted', slice: after };
  if (command.do === 'graded') return { status: 'graded', slice: after };
  // What the provider refuses for good is not asked again, so nothing is gained by a pause.
  const isRefused = command.do === 'fail' && command.verdict === 'refused';
  const pause = backoffSeconds(after.head.state.failures, fault?.retryAfterSeconds ?? null);
  return { status: 'failed', slice: after, waitSeconds: isRefused ? 0 : pause };
}

/** Only the model's own faults are told to the session; any other exception is a defect and has to stay visible as one. */
function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}

function failureOf({ head: { state } }: Slice, request: EventId, fault: Fault): CommandTo<'fail'> {
  const isLast = state.failures + 1 >= MAX_FAILURES;
  const verdict = (): CommandTo<'fail'>['verdict'] => {
    if (fault.code === 'model_input_too_large' && canMakeRoom(state)) return 'too large';
    if (fault.code === 'model_input_too_large' || fault.code === 'model_refused_input') return 'refused';
    return isLast || !fault.retryable ? 'exhausted' : 'retrying';
  };
  const error = ERROR_TYPES[fault.code] ?? { type: 'model_request_failed_error', message: fault.message };
  return { do: 'fail', request, error: error.type, message: error.message, verdict: verdict() };
}

/** What the session's readers are told of a fault. No message carries the provider's text, which may quote the input. */
const ERROR_TYPES: Partial<Record<FaultCode, { readonly type: TurnErrorType; readonly message: string }>> = {
  model_overloaded: { type: 'model_overloaded_error', message: 'The model is overloaded.' },
  model_rate_limited: { type: 'model_rate_limited_error', message: 'The model provider limits the rate of requests.' },
  model_unreachable: { type: 'model_request_failed_error', message: 'The model provider could not be reached.' },
  model_billing: { type: 'billing_error', message: 'The model provider refuses the request for billing reasons.' },
};

interface TurnReport {
  readonly asked: RequestOutcome;
  readonly run: number;
  readonly heard: ModelReply;
  readonly ttftMs: number | null;
  readonly durationMs: number;
}

function reportTurn(world: Pick<TurnWorld, 'journal'>, key: LogKey, report: TurnReport): void {
  const { asked, heard } = report;
  const usage = heard.status === 'answer' ? heard.answer.usage : null;
  world.journal.line('turn', {
    session: key.session,
    thread: key.thread,
    run: report.run,
    turn: asked.status === 'fenced' ? null : asked.slice.head.state.turns,
    outcome: asked.status,
    stop_reason: heard.status === 'answer' ? heard.answer.stopReason : null,
    error_class: heard.status === 'error' ? errorClass(heard.error) : null,
    duration_ms: report.durationMs,
    ttft_ms: report.ttftMs,
    input_tokens: usage?.input_tokens ?? null,
    output_tokens: usage?.output_tokens ?? null,
  });
  world.journal.metric('TurnDuration', 'Milliseconds', report.durationMs);
  if (report.ttftMs !== null) world.journal.metric('TimeToFirstToken', 'Milliseconds', report.ttftMs);
  if (usage !== null) world.journal.metric('InputTokens', 'Count', usage.input_tokens);
  if (usage !== null) world.journal.metric('OutputTokens', 'Count', usage.output_tokens);
  // A request that was cut off because it had ended in the log did not fail.
  if (asked.status === 'failed') world.journal.metric('ModelErrors', 'Count', 1);
}

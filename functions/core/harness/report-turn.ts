/** One model request as the journal has it: a line, and the metrics that the dashboard draws. */
import { errorClass } from '#core/ports/errors.ts';
import type { Asked, Heard } from '#core/harness/model-request.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import type { LogKey } from '#core/ports/session-log.ts';

interface TurnReport {
  readonly asked: Asked;
  readonly run: number;
  readonly heard: Heard;
  readonly ttftMs: number | null;
  readonly durationMs: number;
}

export function reportTurn(world: Pick<TurnWorld, 'journal'>, key: LogKey, report: TurnReport): void {
  const { asked, heard } = report;
  const usage = heard.status === 'answer' ? heard.answer.usage : null;
  world.journal.line('turn', {
    session: key.session,
    thread: key.thread,
    run: report.run,
    turn: 'slice' in asked ? asked.slice.head.state.turns : null,
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
  // A request that was cut off because it had ended in the log is nobody's failure.
  if (asked.status === 'failed') world.journal.metric('ModelErrors', 'Count', 1);
}

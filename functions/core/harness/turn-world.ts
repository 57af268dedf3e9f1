import type { History } from '#core/harness/history.ts';
import type { VerdictWorld } from '#core/harness/verdicts.ts';
import type { Model } from '#core/ports/model.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { Pause, Stamp } from '#core/ports/stamp.ts';
import type { SessionLog } from '#core/ports/session-log.ts';
import type { PreviewWorld } from '#core/previews/preview.ts';
import type { Warming } from '#core/ports/sandboxes.ts';

export interface TurnWorld extends PreviewWorld, VerdictWorld {
  readonly log: SessionLog;
  readonly history: History;
  readonly model: Model;
  readonly warming: Warming;
  readonly stamp: Stamp;
  readonly pause: Pause;
  readonly sha256: (text: string) => string;
  readonly journal: Journal;
}

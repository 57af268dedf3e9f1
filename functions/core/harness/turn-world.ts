import type { History } from '#core/harness/history.ts';
import type { JudgingWorld } from '#core/harness/judge.ts';
import type { Model } from '#core/model.ts';
import type { Journal, Pause, SessionLog, Stamp } from '#core/ports.ts';
import type { PreviewWorld } from '#core/previews/preview.ts';
import type { Warming } from '#core/sandboxes.ts';

export interface TurnWorld extends PreviewWorld, JudgingWorld {
  readonly log: SessionLog;
  readonly history: History;
  readonly model: Model;
  readonly warming: Warming;
  readonly stamp: Stamp;
  readonly pause: Pause;
  readonly sha256: (text: string) => string;
  readonly journal: Journal;
}

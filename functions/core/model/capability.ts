/** Which of two models is at least as capable: by its line, and within a line by its release. */
import type { ModelInfo } from '#contract/models.ts';
import { findModel } from '#core/model/list.ts';

const LINES: readonly ModelInfo['line'][] = ['haiku', 'sonnet', 'opus', 'fable', 'mythos'];

/** What the table does not know is left to the provider, so it is as capable as any. */
export function isAsCapable(modelId: string, than: string): boolean {
  const [one, other] = [findModel(modelId), findModel(than)];
  if (one === null || other === null || one.line === null || other.line === null) return true;
  const ahead = LINES.indexOf(one.line) - LINES.indexOf(other.line);
  return ahead > 0 || (ahead === 0 && one.created_at >= other.created_at);
}

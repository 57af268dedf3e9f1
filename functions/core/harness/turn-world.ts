import type { Hands } from '#contract/run.ts';
import type { AttachedFiles } from '#core/harness/attached-files.ts';
import type { History } from '#core/harness/history.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface TurnWorld extends Pick<
  Ports,
  | 'log'
  | 'runs'
  | 'threads'
  | 'model'
  | 'mcp'
  | 'previews'
  | 'warming'
  | 'stamp'
  | 'pause'
  | 'sha256'
  | 'journal'
  | 'outputs'
  | 'files'
  | 'blobs'
> {
  readonly history: History;
  readonly attachedFiles: AttachedFiles;
  readonly hands: Hands;
}

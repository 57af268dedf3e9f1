import type { Content } from './content.ts';
import type { Memory } from './memory.ts';
import type { Records } from './records.ts';
import type { SessionLog } from './session-log.ts';

/** Where sessions are stored: their logs, the rows beside them, content that is too large for either, and memory stores. */
export interface Stores {
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
  readonly memory: Memory;
}

import type { Content } from './content.ts';
import type { Records } from './records.ts';
import type { SessionLog } from './session-log.ts';

/** Where sessions are stored: their logs, the rows beside them, and content that is too large for either. */
export interface Stores {
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
}

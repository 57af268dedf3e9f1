/** Child threads for tests of their storage, which does not ask how a thread came to its state. */
import { recordIn, type Entry, type OwnEnvironment, type SessionState } from '#contract/entries.ts';
import { ThreadId, type WorkspaceId } from '#contract/ids.ts';
import type { SessionThread } from '#contract/sessions.ts';
import type { LogKey, NewThread } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { AGENT, CREATED, NOW } from '#test/functions/core/given.ts';

const { multiagent: _multiagent, ...THREAD_AGENT } = AGENT;

interface Given {
  /** After the record that begins the log. */
  readonly entries?: readonly Entry[];
  readonly state?: Partial<SessionState>;
  readonly agent?: SessionThread['agent'];
  readonly workspace?: WorkspaceId;
  readonly at?: string;
  readonly own?: OwnEnvironment;
}

let threads = 0;

/** The first append of a child of the primary thread. */
export function newThread({ session, thread: parent_thread_id }: LogKey, given: Given = {}): NewThread {
  const { entries = [], agent = THREAD_AGENT, at = NOW, own } = given;
  threads += 1;
  const id = ThreadId.parse(`${parent_thread_id}c${threads}`);
  const created = recordIn(CREATED);
  if (created?.kind !== 'session.created') throw new TypeError('the first record is another one');
  const workspace = given.workspace ?? created.workspace;
  const all: readonly Entry[] = [
    { record: { ...created, thread: id, parent: parent_thread_id, workspace, at } },
    ...entries,
  ];
  return {
    key: { session, thread: id },
    after: null,
    ...(own && { own }),
    thread: { id, agent, parent_thread_id, created_at: at },
    entries: all,
    state: { ...fold(null, all).state, ...given.state },
    at,
  };
}

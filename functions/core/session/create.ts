/** A new session: its record, and the first append of its log, which takes the agent as it is now. */
import type { Agent } from '#contract/agents.ts';
import { primaryThread, type EnvironmentId, type SessionId, type WorkspaceId } from '#contract/ids.ts';
import type { Entry } from '#contract/entries.ts';
import type { SessionCreate } from '#contract/sessions.ts';
import { snapshotOf } from '#core/agents/resolve.ts';
import type { Append, Stamp } from '#core/ports.ts';
import type { SessionFixed } from '#core/records.ts';
import { fold } from '#core/session/evolve.ts';

export interface Created {
  readonly fixed: SessionFixed;
  readonly first: Pick<Append, 'key' | 'entries' | 'state' | 'at'>;
}

export interface Parts {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly agent: Agent;
  readonly environment: EnvironmentId;
}

export function createSession(input: SessionCreate, parts: Parts, stamp: Stamp): Created {
  const at = stamp.now();
  const thread = primaryThread(parts.session);
  const agent = snapshotOf(parts.agent);
  const { workspace, environment } = parts;
  const entries: readonly Entry[] = [
    { record: { kind: 'session.created', at, workspace, thread, agent, environment } },
  ];
  return {
    fixed: {
      id: parts.session,
      agent,
      environment_id: environment,
      title: input.title ?? null,
      metadata: input.metadata ?? {},
      created_at: at,
    },
    first: { key: { session: parts.session, thread }, entries, state: fold(null, entries).state, at },
  };
}

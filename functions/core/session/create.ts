/** A new session: its details, and the first append of its log, which takes the agent as it is now. */
import type { SessionAgent } from '#contract/agents.ts';
import { primaryThread, type EnvironmentId, type SessionId, type WorkspaceId } from '#contract/ids.ts';
import type { Entry, Guides, HeldFiles } from '#contract/entries.ts';
import type { SessionContents } from '#contract/resources.ts';
import type { SessionCreate } from '#contract/sessions.ts';
import type { Append, SessionDetails } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { Refusal } from '#core/session/commands.ts';
import { decide } from '#core/session/decide.ts';
import { fold } from '#core/session/evolve.ts';

interface NewSession {
  readonly status: 'created';
  readonly details: SessionDetails;
  readonly first: Pick<Append, 'key' | 'entries' | 'state' | 'at'>;
}

interface Parts {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly agent: SessionAgent;
  readonly environment: EnvironmentId;
  /** What its sandboxes find beside packages. Null for nothing. */
  readonly contents: SessionContents | null;
  /** What the models of its threads are told of them, and never otherwise while the session lives. */
  readonly guides: Guides;
  /** Those that the first events name. */
  readonly files?: HeldFiles;
}

export function createSession(input: SessionCreate, parts: Parts, stamp: Stamp): NewSession | Refusal {
  const at = stamp.now();
  const thread = primaryThread(parts.session);
  const { workspace, environment, agent, guides } = parts;
  const created: readonly Entry[] = [
    { record: { kind: 'session.created', at, workspace, thread, agent, environment, ...guides } },
    ...(parts.contents === null ? [] : [{ record: { kind: 'contents.changed' as const, at } }]),
  ];
  // Its first messages are sent in the append that creates it, so a session is never seen without them.
  const events = input.initial_events ?? [];
  const sent = decide(fold(null, created), { do: 'send', events, ...(parts.files && { files: parts.files }) }, stamp);
  if (sent.status === 'refused') return sent;
  return {
    status: 'created',
    details: {
      id: parts.session,
      agent,
      environment_id: environment,
      vault_ids: input.vault_ids ?? [],
      title: input.title ?? null,
      metadata: input.metadata ?? {},
      created_at: at,
    },
    first: {
      key: { session: parts.session, thread },
      entries: [...created, ...sent.entries],
      state: sent.head.state,
      at,
    },
  };
}

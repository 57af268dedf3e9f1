/** The files that a client's events name are the session's own before the events are in its log. */
import type { HeldFiles } from '#contract/entries.ts';
import type { EventInput } from '#contract/events.ts';
import type { SessionId, WorkspaceId } from '#contract/ids.ts';
import { planAttachments, type AskedContent, type PlannedAttachments } from '#core/files/attach-files.ts';
import { removeCopies, writeCopies } from '#core/files/write-copies.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import { contentOf } from '#core/session/decide-send.ts';

type AttachPorts = Pick<Ports, 'files' | 'blobs' | 'leftovers' | 'newToken' | 'stamp'>;

interface Target {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly model: string;
}

/** Reads only. `list` is the field of the request that holds the events. */
export function planFor(
  world: AttachPorts,
  to: Target,
  { list, events }: { readonly list: string; readonly events: readonly EventInput[] },
): Promise<PlannedAttachments | RequestRefusal> {
  const asked = events.map((event, index): AskedContent => ({
    field: `${list}.${index}.content`,
    content: contentOf(event),
  }));
  return planAttachments(world, to, asked);
}

/**
 * `send` appends the events with what their files hold. A process that dies before that leaves copies that go with the
 * session; the sweep removes those of a session that is deleted meanwhile.
 */
export async function sendWithFiles<Sent extends { readonly status: string }>(
  world: AttachPorts,
  to: Target,
  events: readonly EventInput[],
  send: (files: HeldFiles) => Promise<Sent>,
): Promise<Sent | RequestRefusal> {
  const planned = await planFor(world, to, { list: 'events', events });
  if (isRefusal(planned)) return planned;
  const gone = await writeCopies(world, to, planned.copies);
  if (gone !== null) return gone;
  const sent = await send(planned.files);
  const ids = planned.copies.map(({ copy }) => copy.file.id);
  if (sent.status === 'refused') await removeCopies(world, to.workspace, ids);
  return sent;
}

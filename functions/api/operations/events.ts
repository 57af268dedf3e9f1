import * as z from 'zod';
import type { HeldFiles } from '#contract/entries.ts';
import { EventsSend, SessionEvent } from '#contract/events.ts';
import { Instant, Position, SessionId, ThreadId, type WorkspaceId } from '#contract/ids.ts';
import { Order, pageOf } from '#contract/pages.ts';
import { EventsQuery } from '#contract/queries.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { readRubrics } from '#core/files/read-rubrics.ts';
import { recordRefused } from '#core/mcp/judge-calls.ts';
import { isWithin, rangeOf } from '#core/requests/created-range.ts';
import type { Range } from '#core/ports/records.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import { sendWithFiles } from '#core/session/attach.ts';
import { refusedRequest } from '#core/session/commands.ts';
import { nameFiles, nameRubrics } from '#core/session/decide-send.ts';
import { listEvents, type ListedEvent } from '#core/session/list-events.ts';
import { send, type BeforeRefusal } from '#core/session/send.ts';
import type { ApiWorld } from '../api-world.ts';
import { carriedBytes, MAX_CARRIED_BYTES } from '../carried-bytes.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { notFound, operation, keyOf, noteStart, ownHead } from '../operation.ts';

const Params = z.object({ session_id: SessionId });

export const EventPage = pageOf(SessionEvent);

const Cursor = z.strictObject({
  list: z.union([SessionId, ThreadId]),
  order: Order,
  at: Instant.nullable(),
  position: Position,
  append: Position.nullable(),
});

const sendEvents = operation({
  route: 'POST /v1/sessions/{session_id}/events',
  summary: 'Send events to a session: all of them or none',
  params: Params,
  body: EventsSend,
  response: z.object({ data: z.array(SessionEvent) }),
  async handle({ world, workspace, params, body, note, requestId }) {
    const head = await ownHead(world, workspace, params.session_id);
    if (head === null) return notFound('session_id');
    const events = nameRubrics(body.events)
      ? await readRubrics(world, workspace, { list: 'events', events: body.events })
      : body.events;
    if (isRefusal(events)) return events;
    const to = { key: keyOf(params.session_id), head, cause: requestId, beforeRefusal: recordingRefusals(world) };
    const sending = async (files?: HeldFiles) => {
      const sent = await send(world, to, events, files);
      return sent.status === 'refused' ? refusedRequest(sent) : sent;
    };
    const of = { workspace, session: params.session_id, model: head.state.model };
    const sent = nameFiles(events) ? await sendWithFiles(world, of, events, sending) : await sending();
    if (isRefusal(sent)) return sent;
    note({ run: sent.head.state.run, events: sent.events.length });
    noteStart(note, sent.start);
    return { data: [...sent.events] };
  },
});

function recordingRefusals(world: ApiWorld): BeforeRefusal {
  const { enterprise } = world.identities;
  return (append, refused) => recordRefused({ ...world, enterprise }, append, refused);
}

const list = operation({
  route: 'GET /v1/sessions/{session_id}/events',
  summary: "List a session's events, oldest first unless asked otherwise",
  params: Params,
  query: EventsQuery,
  response: EventPage,
  handle: async ({ world, workspace, params: { session_id: session }, query }) =>
    eventPage(world, { workspace, key: keyOf(session), list: 'session' }, query),
});

interface EventList {
  readonly workspace: WorkspaceId;
  readonly key: LogKey;
  /** The session's list is that of its primary thread's log, but their cursors are of one of them. */
  readonly list: 'session' | 'thread';
}

export async function eventPage(
  world: ApiWorld,
  { workspace, key, list }: EventList,
  query: Omit<EventsQuery, 'beta'>,
): Promise<z.infer<typeof EventPage> | RequestRefusal> {
  const range = rangeOf(query);
  const { order } = query;
  const name = key[list];
  const cursor = decodeCursor(Cursor, query.page, { list: name, order, range });
  if (isRefusal(cursor)) return cursor;
  const head = await world.log.head(key);
  if (head?.state.workspace !== workspace) return notFound(`${list}_id`);
  const beyond = cursor && { position: cursor.position, append: cursor.append };
  const listing = listEvents(world, { key, head, order, beyond });
  const { page, more } = await takePage(listing, query, range);
  const last = page.at(-1);
  const goesOn = more && last !== undefined;
  return {
    data: page.map((listed) => listed.event),
    next_page: goesOn ? encodeCursor({ list: name, order, at: last.event.processed_at, ...last.place }) : null,
  };
}

/** Reads until the page is full, by count or by bytes. An event beyond that shows that a next page exists. */
async function takePage(
  listing: AsyncIterable<ListedEvent>,
  { limit, types }: Pick<EventsQuery, 'limit' | 'types'>,
  range: Range,
): Promise<{ readonly page: readonly ListedEvent[]; readonly more: boolean }> {
  const wanted = types === undefined ? null : new Set<string>(types);
  const page: ListedEvent[] = [];
  let bytes = 0;
  for await (const listed of listing) {
    if (wanted !== null && !wanted.has(listed.event.type)) continue;
    if (!isInRange(range, listed.event.processed_at)) continue;
    bytes += carriedBytes(JSON.stringify(listed.event));
    // One event always fits, because its request had the same limit.
    if (page.length === limit || (bytes > MAX_CARRIED_BYTES && page.length > 0)) return { page, more: true };
    page.push(listed);
  }
  return { page, more: false };
}

/** A queued event has no instant of processing, so it lies in no range. */
function isInRange(range: Range, processedAt: Instant | null): boolean {
  if (processedAt === null) return range.from === null && range.to === null;
  return isWithin(range, processedAt);
}

export const eventOperations = [sendEvents, list];

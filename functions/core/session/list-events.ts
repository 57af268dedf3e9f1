/**
 * The history that clients list: public events, one per id. A message appears once, at the position at which the agent
 * took it; while it waits in the queue, it comes after everything else.
 */
import { eventIn } from '#contract/entries.ts';
import type { SessionEvent } from '#contract/events.ts';
import { FIRST_POSITION, type Position } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';
import type { Head, LogKey, PositionedEntry } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';

/** The place of an event in a listing: enough to continue after it without reading what came before. */
interface EventPlace {
  readonly position: Position;
  /** First position of the append which holds the event; null for a queued message. */
  readonly append: Position | null;
}

export interface ListedEvent {
  readonly event: SessionEvent;
  readonly place: EventPlace;
}

type Reading = Pick<Ports, 'log' | 'reader'>;

interface Listing {
  readonly key: LogKey;
  /** Entries after it are not part of the listing. */
  readonly head: Head;
  readonly order: Order;
  readonly beyond: EventPlace | null;
}

export async function* listEvents(ports: Reading, listing: Listing): AsyncGenerator<ListedEvent> {
  if (listing.order === 'asc') {
    if (listing.beyond?.append !== null) yield* settled(ports, listing);
    yield* queued(ports, listing);
    return;
  }
  if (listing.beyond === null || listing.beyond.append === null) yield* queued(ports, listing);
  yield* settled(ports, listing);
}

async function* settled({ reader }: Reading, { key, head, order, beyond }: Listing): AsyncGenerator<ListedEvent> {
  const start = beyond?.append ?? (order === 'asc' ? FIRST_POSITION : head.position);
  const isBeyond = (position: Position) =>
    position <= head.position &&
    (beyond === null || beyond.append === null || isAfter(position, beyond.position, order));
  for await (const append of reader.appends(key, order, start)) {
    if (order === 'asc' && append.first > head.position) return;
    for (const positioned of inOrder(append.entries, order)) {
      const event = eventOf(positioned);
      if (event === null || !isBeyond(positioned.position)) continue;
      yield { event, place: { position: positioned.position, append: append.first } };
    }
  }
}

async function* queued({ log }: Reading, { key, head, order, beyond }: Listing): AsyncGenerator<ListedEvent> {
  for (const { position } of inOrder(head.state.queued, order)) {
    if (beyond !== null && beyond.append === null && !isAfter(position, beyond.position, order)) continue;
    const event = eventIn(await log.entryAt(key, position));
    if (event !== null) yield { event, place: { position, append: null } };
  }
}

/** Null for internal records, and for a message without `processed_at`: it is queued, or appears again when taken. */
function eventOf({ entry }: PositionedEntry): SessionEvent | null {
  const event = eventIn(entry);
  return event === null || event.processed_at === null ? null : event;
}

function inOrder<Item>(items: readonly Item[], order: Order): readonly Item[] {
  return order === 'asc' ? items : items.toReversed();
}

function isAfter(position: Position, other: Position, order: Order): boolean {
  return order === 'asc' ? position > other : position < other;
}

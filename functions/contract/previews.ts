/**
 * Previews of a model's answer while it streams: frames that are on the wire only, never in the log. The
 * harness writes them in chunks, which the streams read.
 */
import * as z from 'zod';
import { TextBlock } from './content.ts';
import { SessionEvent } from './events.ts';
import { EventId, Instant } from './ids.ts';

/** The events that a stream may preview; a preview of `agent.thinking` tells only its start. */
export const PreviewedType = z.enum(['agent.message', 'agent.thinking']);
export type PreviewedType = z.infer<typeof PreviewedType>;

/** `id` is the later event's own id. */
export const EventStart = z
  .object({ type: z.literal('event_start'), event: z.object({ type: PreviewedType, id: EventId }) })
  .meta({ id: 'EventStart' });
export type EventStart = z.infer<typeof EventStart>;

/** `index` is the position of the text in the event's content. */
export const EventDelta = z
  .object({
    type: z.literal('event_delta'),
    event_id: EventId,
    delta: z.object({ type: z.literal('content_delta'), index: z.int().min(0), content: TextBlock }),
  })
  .meta({ id: 'EventDelta' });
export type EventDelta = z.infer<typeof EventDelta>;

export const PreviewFrame = z.discriminatedUnion('type', [EventStart, EventDelta]);
export type PreviewFrame = z.infer<typeof PreviewFrame>;

/** All frames of a stream but pings and errors. */
export const StreamFrame = z.union([SessionEvent, PreviewFrame]).meta({ id: 'StreamFrame' });
export type StreamFrame = z.infer<typeof StreamFrame>;

/** Frames of one model request that were written together; `sequence` counts from 1 and leaves nothing out. */
export const PreviewChunk = z.object({
  request: EventId,
  sequence: z.int().min(1),
  at: Instant,
  frames: z.array(PreviewFrame),
});
export type PreviewChunk = z.infer<typeof PreviewChunk>;

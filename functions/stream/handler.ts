/** The stream routes, behind API Gateway in its streaming mode. */
import { GatewayEvent } from '#contract/gateway.ts';
import { streamWorld } from '#aws/worlds/stream.ts';
import { respond } from './respond.ts';
import { createSink } from './sink.ts';

/** API Gateway and Lambda cut a stream off after 15 minutes; a clean end before that is an ordinary reconnect. */
const MAX_STREAM_MS = 14 * 60_000;
/** Left of the function's time to end the response. */
const TIME_TO_END_MS = 5_000;

const world = streamWorld(process.env);
// A function that loads has more processor time than one that runs, and a client waits for the first request of both.
await world.warmUp();

export const handler = awslambda.streamifyResponse(async (event: unknown, responseStream, context) => {
  const lifeMs = Math.min(MAX_STREAM_MS, Math.max(0, context.getRemainingTimeInMillis() - TIME_TO_END_MS));
  try {
    await respond(world, GatewayEvent.parse(event), {
      open: (statusCode, headers) =>
        createSink(awslambda.HttpResponseStream.from(responseStream, { statusCode, headers })),
      untilMs: Date.now() + lifeMs,
    });
  } finally {
    world.journal.flush();
  }
});

/** Every buffered operation of the API, behind API Gateway. */
import { GatewayEvent } from '#contract/gateway.ts';
import { apiWorld } from '#aws/worlds/api.ts';
import { createApp } from './app.ts';
import { toRequest, toResult, type GatewayResult } from './gateway.ts';

const world = apiWorld(process.env);
const app = createApp(world);

export async function handler(event: unknown): Promise<GatewayResult> {
  try {
    return await toResult(await app.fetch(toRequest(GatewayEvent.parse(event))));
  } finally {
    world.journal.flush();
  }
}

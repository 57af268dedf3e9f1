/** The pages on which users consent, behind API Gateway. */
import { GatewayEvent } from '#contract/gateway.ts';
import { connectWorld } from '#aws/worlds/connect.ts';
import { createConnectApp } from './app.ts';
import { toRequest, toResult, type GatewayResult } from './gateway.ts';

const world = connectWorld(process.env);
const app = createConnectApp(world);

export async function handler(event: unknown): Promise<GatewayResult> {
  try {
    return await toResult(await app.fetch(toRequest(GatewayEvent.parse(event))));
  } finally {
    world.journal.flush();
  }
}

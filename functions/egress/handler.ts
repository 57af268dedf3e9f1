/** Egress: tells the egress proxy what a task may reach, and takes its reports. */
import { EgressRequest, type Grant } from '#contract/egress.ts';
import { grant, takeReport } from '#core/egress/grant.ts';
import { egressWorld } from '#aws/worlds/egress.ts';

const world = egressWorld(process.env);

export async function handler(input: unknown): Promise<Grant | null> {
  const request = EgressRequest.parse(input);
  if (request.ask === 'grant') return grant(world, request);
  await takeReport(world, request);
  return null;
}

/** Provision: makes sure that the session has a sandbox; also invoked ahead of time by the harness. */
import { ProvisionInput, type Provisioned } from '#contract/run.ts';
import { provision } from '#core/hands/provision.ts';
import { provisionWorld } from '#aws/world.ts';

const world = provisionWorld(process.env);

export async function handler(input: unknown): Promise<Provisioned> {
  return provision(world, ProvisionInput.parse(input));
}

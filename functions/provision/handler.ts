/** Provision: makes sure that the session has a sandbox, or ends the one it has; also invoked ahead of time. */
import * as z from 'zod';
import { ProvisionInput, ReleaseInput, type Provisioned } from '#contract/run.ts';
import { provision } from '#core/hands/provision.ts';
import { release } from '#core/hands/release.ts';
import { provisionWorld } from '#aws/worlds/provision.ts';

const Input = z.union([ReleaseInput, ProvisionInput]);

const world = provisionWorld(process.env);

export async function handler(event: unknown): Promise<Provisioned | null> {
  const input = Input.parse(event);
  if (!('release' in input)) return provision(world, input);
  await release(world, input.session);
  return null;
}

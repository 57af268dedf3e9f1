/**
 * Provision: makes sure that a hand has a sandbox, or that there is an egress proxy, or ends the sandboxes that a session
 * has or had; also invoked ahead of time. As the stack's custom resource `Custom::EndSandboxes` it ends all of them when
 * the stack is deleted.
 */
import * as z from 'zod';
import { CustomResourceRequest, type CustomResourceOutcome } from '#contract/custom-resource.ts';
import {
  handOfCall,
  KeepUpInput,
  ProvisionInput,
  ReleaseInput,
  StopLostInput,
  WayOutInput,
  type Provisioned,
} from '#contract/run.ts';
import { endAll } from '#core/hands/end-all.ts';
import { provision, provisionProxy, provisionWayOut } from '#core/hands/provision.ts';
import { release, stopLost } from '#core/hands/release.ts';
import { errorClass } from '#core/ports/errors.ts';
import { provisionWorld } from '#aws/worlds/provision.ts';

const Input = z.union([ReleaseInput, StopLostInput, WayOutInput, KeepUpInput, ProvisionInput, CustomResourceRequest]);

const world = provisionWorld(process.env);

export async function handler(event: unknown): Promise<Provisioned | null> {
  const input = Input.parse(event);
  if ('RequestType' in input) await world.tell(input, 'sandboxes', await outcomeOf(input));
  else if ('release' in input) await release(world, input.session);
  else if ('stop' in input) await stopLost(world, handOfCall(input));
  else if ('slot' in input) return provisionProxy(world, input);
  else if ('wayOut' in input) return provisionWayOut(world, input.session);
  else return provision(world, input);
  return null;
}

async function outcomeOf({ RequestType }: CustomResourceRequest): Promise<CustomResourceOutcome> {
  try {
    if (RequestType === 'Delete') await endAll(world);
    return { Status: 'SUCCESS' };
  } catch (error) {
    return { Status: 'FAILED', Reason: `the sandboxes did not all end: ${errorClass(error)}` };
  }
}

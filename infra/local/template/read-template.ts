import { ACCOUNT, REGION } from './identities.ts';
import { customResourceParts, functionParts } from './functions.ts';
import { binaryMediaTypes, gatewayResponseParts, routeParts } from './gateway.ts';
import { machineParts } from './machines.ts';
import { roleParts } from './roles.ts';
import { scheduleParts } from './schedules.ts';
import { readStack } from './stack.ts';
import { bucketParts, keyParts, secretParts, tableParts } from './storage.ts';
import { securityGroupParts, subnetParts, taskParts } from './tasks.ts';

/**
 * Reads the synthesized stack in `cdkOutDir`: every resource this machine has to play, intrinsic functions resolved.
 * @throws when something that is needed cannot be resolved; the message names the logical id
 */
export function readTemplate(cdkOutDir: string, parameters: Readonly<Record<string, string>>) {
  const stack = readStack(cdkOutDir, parameters);
  return {
    region: REGION,
    account: ACCOUNT,
    functions: functionParts(stack),
    tables: tableParts(stack),
    machines: machineParts(stack),
    routes: routeParts(stack),
    gatewayResponses: gatewayResponseParts(stack),
    binaryMediaTypes: binaryMediaTypes(stack),
    roles: roleParts(stack),
    secrets: secretParts(stack),
    keys: keyParts(stack),
    buckets: bucketParts(stack),
    tasks: taskParts(stack),
    subnets: subnetParts(stack),
    securityGroups: securityGroupParts(stack),
    schedules: scheduleParts(stack),
    customResources: customResourceParts(stack),
    outputs: stack.outputs(),
  };
}

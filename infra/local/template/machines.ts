import * as z from 'zod';
import type { MachinePart } from './parts.ts';
import { arnOf } from './functions.ts';
import type { Stack } from './stack.ts';

const MachineProperties = z.object({
  DefinitionString: z.string(),
  DefinitionSubstitutions: z.record(z.string(), z.coerce.string()).default({}),
  RoleArn: z.string(),
});

const Definition = z.record(z.string(), z.unknown());

export function machineParts(stack: Stack): readonly MachinePart[] {
  return stack.of('AWS::StepFunctions::StateMachine').map((resource) => {
    const { DefinitionString, DefinitionSubstitutions, RoleArn } = stack.read(resource, MachineProperties);
    const substituted = DefinitionString.replace(/\$\{([A-Za-z0-9_]+)\}/g, (all, name: string) => {
      return DefinitionSubstitutions[name] ?? all;
    });
    const { name, attributes } = stack.identity(resource);
    const definition = Definition.parse(JSON.parse(substituted));
    return { name, arn: arnOf(attributes), roleArn: RoleArn, definition };
  });
}

import * as z from 'zod';
import type { MachinePart } from './parts.ts';
import type { Stack } from './stack.ts';

const Machine = z.object({
  DefinitionString: z.string(),
  DefinitionSubstitutions: z.record(z.string(), z.coerce.string()).default({}),
  RoleArn: z.string(),
});

const Definition = z.record(z.string(), z.unknown());

export function machineParts(stack: Stack): readonly MachinePart[] {
  return stack.of(Machine, 'AWS::StepFunctions::StateMachine').map(({ name, arn, properties }) => {
    const { DefinitionString, DefinitionSubstitutions, RoleArn: roleArn } = properties;
    const substituted = DefinitionString.replace(/\$\{([A-Za-z0-9_]+)\}/g, (all, key: string) => {
      return DefinitionSubstitutions[key] ?? all;
    });
    return { name, arn, roleArn, definition: Definition.parse(JSON.parse(substituted)) };
  });
}

import * as z from 'zod';
import type { MachinePart } from './parts.ts';
import type { Stack } from './stack.ts';

const Machine = z.object({
  DefinitionString: z.string(),
  RoleArn: z.string(),
});

const Definition = z.record(z.string(), z.unknown());

export function machineParts(stack: Stack): readonly MachinePart[] {
  return stack.of(Machine, 'AWS::StepFunctions::StateMachine').map(({ name, arn, properties }) => {
    const { DefinitionString, RoleArn: roleArn } = properties;
    return { name, arn, roleArn, definition: Definition.parse(JSON.parse(DefinitionString)) };
  });
}

import * as z from 'zod';
import type { ContainerPart, TaskDefinitionPart } from './parts.ts';
import type { Stack } from './stack.ts';

const Container = z.object({
  Name: z.string(),
  Image: z.string(),
  Environment: z.array(z.object({ Name: z.string(), Value: z.coerce.string() })).default([]),
  Command: z.array(z.string()).default([]),
  PortMappings: z.array(z.object({ ContainerPort: z.coerce.number() })).default([]),
  User: z.string().optional(),
});

const TaskProperties = z.object({
  Cpu: z.coerce.number().default(256),
  Memory: z.coerce.number().default(512),
  ContainerDefinitions: z.array(Container),
  ExecutionRoleArn: z.string().optional(),
  TaskRoleArn: z.string().optional(),
});

export function taskParts(stack: Stack): readonly TaskDefinitionPart[] {
  return stack.of('AWS::ECS::TaskDefinition').map((resource) => {
    const { Cpu, Memory, ContainerDefinitions, ...roles } = stack.read(resource, TaskProperties);
    const { name, ref } = stack.identity(resource);
    const containers = ContainerDefinitions.map((container) => containerPart(stack, container));
    const { ExecutionRoleArn: executionRoleArn = null, TaskRoleArn: taskRoleArn = null } = roles;
    return { family: name, arn: ref, cpu: Cpu, memoryMb: Memory, containers, executionRoleArn, taskRoleArn };
  });
}

function containerPart(stack: Stack, container: z.infer<typeof Container>): ContainerPart {
  const tag = container.Image.slice(container.Image.lastIndexOf(':') + 1);
  const asset = stack.assembly.imageAsset(tag);
  return {
    name: container.Name,
    image: container.Image,
    imageDir: asset?.dir ?? null,
    imageTarget: asset?.target ?? null,
    environment: Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, Value])),
    command: container.Command,
    port: container.PortMappings[0]?.ContainerPort ?? 0,
    user: container.User ?? null,
  };
}

import * as z from 'zod';
import type { ContainerPart, SubnetPart, TaskDefinitionPart } from './parts.ts';
import type { Stack } from './stack.ts';

const Container = z.object({
  Name: z.string(),
  Image: z.string(),
  Environment: z.array(z.object({ Name: z.string(), Value: z.coerce.string() })).default([]),
  Command: z.array(z.string()).default([]),
  PortMappings: z.array(z.object({ ContainerPort: z.coerce.number() })).default([]),
  User: z.string().optional(),
});

const TaskDefinition = z.object({
  Cpu: z.coerce.number().default(256),
  Memory: z.coerce.number().default(512),
  ContainerDefinitions: z.array(Container),
  ExecutionRoleArn: z.string().nullable().default(null),
  TaskRoleArn: z.string().nullable().default(null),
});

export function taskParts(stack: Stack): readonly TaskDefinitionPart[] {
  return stack.of(TaskDefinition, 'AWS::ECS::TaskDefinition').map(({ name: family, arn, properties }) => {
    const { Cpu: cpu, Memory: memoryMb, ExecutionRoleArn: executionRoleArn, TaskRoleArn: taskRoleArn } = properties;
    const containers = properties.ContainerDefinitions.map((container) => containerPart(stack, container));
    return { family, arn, cpu, memoryMb, containers, executionRoleArn, taskRoleArn };
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

const Association = z.object({ SubnetId: z.string(), RouteTableId: z.string() });
const Route = z.object({
  RouteTableId: z.string(),
  DestinationCidrBlock: z.string().optional(),
  GatewayId: z.string().optional(),
  NatGatewayId: z.string().optional(),
});

/** The subnets, and which way out each one's route table has. */
export function subnetParts(stack: Stack): readonly SubnetPart[] {
  const gateways = new Set(stack.of(z.object({}), 'AWS::EC2::InternetGateway').map(({ ref }) => ref));
  const routes = stack
    .of(Route, 'AWS::EC2::Route')
    .map(({ properties }) => properties)
    .filter(({ DestinationCidrBlock }) => DestinationCidrBlock === '0.0.0.0/0');
  const associations = stack.of(Association, 'AWS::EC2::SubnetRouteTableAssociation');
  const tables = new Map(associations.map(({ properties }) => [properties.SubnetId, properties.RouteTableId]));
  return stack.of(z.object({}), 'AWS::EC2::Subnet').map(({ ref: id }) => {
    const own = routes.filter(({ RouteTableId }) => RouteTableId === tables.get(id));
    if (own.some(({ NatGatewayId }) => NatGatewayId !== undefined)) return { id, wayOut: 'nat' };
    return { id, wayOut: own.some(({ GatewayId }) => gateways.has(GatewayId ?? '')) ? 'gateway' : null };
  });
}

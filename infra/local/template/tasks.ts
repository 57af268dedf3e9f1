import * as z from 'zod';
import type { ContainerPart, SecurityGroupPart, SubnetPart, TaskDefinitionPart } from './parts.ts';
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
  VpcPeeringConnectionId: z.string().optional(),
});
const Peering = z.object({ VpcId: z.string(), PeerVpcId: z.string() });

/** The subnets, and which way out each one's route table has. */
export function subnetParts(stack: Stack): readonly SubnetPart[] {
  const gateways = new Set(stack.of(z.object({}), 'AWS::EC2::InternetGateway').map(({ ref }) => ref));
  const routes = stack.of(Route, 'AWS::EC2::Route').map(({ properties }) => properties);
  const peerings = new Map(stack.of(Peering, 'AWS::EC2::VPCPeeringConnection').map((one) => [one.ref, one.properties]));
  const associations = stack.of(Association, 'AWS::EC2::SubnetRouteTableAssociation');
  const tables = new Map(associations.map(({ properties }) => [properties.SubnetId, properties.RouteTableId]));
  const hosts = resolvableHosts(stack);
  return stack.of(Subnet, 'AWS::EC2::Subnet').map(({ ref, properties }) => {
    const { VpcId: vpc, CidrBlock: cidr } = properties;
    const own = routes.filter(({ RouteTableId }) => RouteTableId === tables.get(ref));
    const out = own.filter(({ DestinationCidrBlock }) => DestinationCidrBlock === '0.0.0.0/0');
    const isBehindNat = out.some(({ NatGatewayId }) => NatGatewayId !== undefined);
    const isPublic = out.some(({ GatewayId }) => gateways.has(GatewayId ?? ''));
    const peers = own.flatMap(({ VpcPeeringConnectionId, DestinationCidrBlock }) => {
      const ends = Object.values(peerings.get(VpcPeeringConnectionId ?? '') ?? {});
      const others = ends.includes(vpc) ? ends.filter((end) => end !== vpc) : [];
      return others.map((other) => ({ vpc: other, cidr: DestinationCidrBlock ?? '' }));
    });
    const wayOut = isBehindNat ? 'nat' : isPublic ? 'gateway' : null;
    return { id: ref, wayOut, hosts: hosts.get(vpc) ?? null, vpc, cidr, peers };
  });
}

const TrafficRule = z.object({
  IpProtocol: z.string(),
  FromPort: z.coerce.number().optional(),
  ToPort: z.coerce.number().optional(),
  CidrIp: z.string().nullable().default(null),
  SourceSecurityGroupId: z.string().nullable().default(null),
  DestinationSecurityGroupId: z.string().nullable().default(null),
});
const SecurityGroup = z.object({
  VpcId: z.string().default(''),
  SecurityGroupIngress: z.array(TrafficRule).default([]),
  SecurityGroupEgress: z.array(TrafficRule).default([]),
});

/** The security groups, with their rules for TCP. */
export function securityGroupParts(stack: Stack): readonly SecurityGroupPart[] {
  return stack.of(SecurityGroup, 'AWS::EC2::SecurityGroup').map(({ ref, properties }) => ({
    id: ref,
    vpc: properties.VpcId,
    ingress: properties.SecurityGroupIngress.flatMap((rule) => trafficRule(rule, rule.SourceSecurityGroupId)),
    egress: properties.SecurityGroupEgress.flatMap((rule) => trafficRule(rule, rule.DestinationSecurityGroupId)),
  }));
}

function trafficRule(rule: z.infer<typeof TrafficRule>, group: string | null): SecurityGroupPart['ingress'] {
  const { IpProtocol, FromPort = 0, ToPort = 65_535, CidrIp: cidr } = rule;
  if (IpProtocol === '-1') return [{ fromPort: 0, toPort: 65_535, cidr, group }];
  return IpProtocol === 'tcp' ? [{ fromPort: FromPort, toPort: ToPort, cidr, group }] : [];
}

const Subnet = z.object({ VpcId: z.string().default(''), CidrBlock: z.string().default('') });
const DomainList = z.object({ Domains: z.array(z.string()) });
const RuleGroup = z.object({
  FirewallRules: z.array(z.object({ Action: z.string(), FirewallDomainListId: z.string() })),
});
const GroupOfVpc = z.object({ VpcId: z.string(), FirewallRuleGroupId: z.string() });

/** By VPC: the names that the firewall of its resolver allows. */
function resolvableHosts(stack: Stack): ReadonlyMap<string, readonly string[]> {
  const lists = new Map(
    stack.of(DomainList, 'AWS::Route53Resolver::FirewallDomainList').map((list) => [list.ref, list.properties.Domains]),
  );
  const groups = new Map(
    stack.of(RuleGroup, 'AWS::Route53Resolver::FirewallRuleGroup').map(({ ref, properties }) => {
      const allowing = properties.FirewallRules.filter(({ Action }) => Action === 'ALLOW');
      return [ref, allowing.flatMap(({ FirewallDomainListId: id }) => lists.get(id) ?? [])];
    }),
  );
  const associations = stack.of(GroupOfVpc, 'AWS::Route53Resolver::FirewallRuleGroupAssociation');
  return new Map(
    associations.map(({ properties }) => [properties.VpcId, groups.get(properties.FirewallRuleGroupId) ?? []]),
  );
}

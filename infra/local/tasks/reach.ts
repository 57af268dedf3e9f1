/** What one task may connect to in another's network, as routes and security groups of the template say it. */
import { BlockList } from 'node:net';
import type { SecurityGroupPart, SubnetPart, Template } from '../template/parts.ts';

export type Networks = Pick<Template, 'tasks' | 'subnets' | 'securityGroups'>;

/** Where a task is. */
export interface Place {
  readonly subnet: string;
  readonly groups: readonly string[];
}

/** Whether a task may connect to a port of a task in another VPC. */
export function leads(networks: Networks, from: Place, to: Place, port: number): boolean {
  const [source, target] = [from, to].map(({ subnet }) => networks.subnets.find(({ id }) => id === subnet));
  if (source === undefined || target === undefined) return false;
  const out = { port, groups: to.groups, cidr: target.cidr };
  const back = { port, groups: from.groups, cidr: source.cidr };
  return (
    hasRoute(source, target) &&
    hasRoute(target, source) &&
    groupsOf(networks, from).some(({ egress }) => admits(egress, out)) &&
    groupsOf(networks, to).some(({ ingress }) => admits(ingress, back))
  );
}

/** The ports of other tasks that a task of this place could connect to, wherever those tasks are. */
export function portsBeyond(networks: Networks, from: Place): readonly number[] {
  const ports = new Set(networks.tasks.flatMap(({ containers }) => containers.map(({ port }) => port)));
  const places = networks.securityGroups.flatMap(({ id, vpc }) =>
    networks.subnets.filter((subnet) => subnet.vpc === vpc).map((subnet) => ({ subnet: subnet.id, groups: [id] })),
  );
  return [...ports].filter((port) => port > 0 && places.some((to) => leads(networks, from, to, port)));
}

function groupsOf({ securityGroups }: Networks, { groups }: Place): readonly SecurityGroupPart[] {
  return securityGroups.filter(({ id }) => groups.includes(id));
}

function hasRoute(from: SubnetPart, to: SubnetPart): boolean {
  return from.peers.some(({ vpc, cidr }) => vpc === to.vpc && contains(cidr, to.cidr));
}

interface Traffic {
  readonly port: number;
  /** Those of the other end. */
  readonly groups: readonly string[];
  readonly cidr: string;
}

function admits(rules: SecurityGroupPart['ingress'], { port, groups, cidr }: Traffic): boolean {
  return rules.some(
    (rule) =>
      rule.fromPort <= port &&
      port <= rule.toPort &&
      ((rule.group !== null && groups.includes(rule.group)) || (rule.cidr !== null && contains(rule.cidr, cidr))),
  );
}

/** Whether one block of IPv4 addresses holds the whole of another. */
function contains(outer: string, inner: string): boolean {
  const [outerStart = '', outerBits] = outer.split('/');
  const [innerStart = '', innerBits] = inner.split('/');
  if (outerStart === '' || innerStart === '' || Number(innerBits) < Number(outerBits)) return false;
  const block = new BlockList();
  block.addSubnet(outerStart, Number(outerBits));
  return block.check(innerStart);
}

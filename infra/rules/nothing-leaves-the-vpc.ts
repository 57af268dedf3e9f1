import { compliantIf, type Rule } from './rule.ts';
import {
  isObject,
  list,
  mentions,
  type Properties,
  properties,
  type Resource,
  settingOf,
  target,
  type Template,
} from './template.ts';

/** Resources that carry traffic out of a VPC, and that no VPC of the stack may have. */
const NEVER = [
  'AWS::EC2::EgressOnlyInternetGateway',
  'AWS::EC2::NatGateway',
  'AWS::EC2::TransitGatewayAttachment',
  // These send queries to name servers that no firewall of the stack judges.
  'AWS::Route53Resolver::ResolverEndpoint',
  'AWS::Route53Resolver::ResolverRuleAssociation',
];

export const nothingLeavesTheVpc: Rule = {
  id: 'nothing-leaves-the-vpc',
  reason:
    'A sandbox may send to any address on port 443, so no route may lead out of its VPC but the one to the VPC of the egress proxy. Only that VPC, and that of package builds, has public subnets. The resolver of every other VPC answers for named hosts only, because a query carries data to the owner of a domain.',
  judge(resource, template) {
    if (NEVER.includes(resource.Type)) return 'not-compliant';
    return JUDGES[resource.Type]?.(resource, template) ?? 'not-applicable';
  },
};

const JUDGES: Readonly<Record<string, Rule['judge']>> = {
  // A gateway carries no traffic until it is attached.
  'AWS::EC2::VPCGatewayAttachment': (attachment, template) => compliantIf(isPublic(vpcOf(attachment), template)),
  'AWS::EC2::Route': (route, template) => {
    const table = template.Resources[target(properties(route)['RouteTableId']) ?? ''];
    const vpc = table && vpcOf(table);
    return compliantIf(isPublic(vpc, template) || leadsToTheProxy(route, vpc, template));
  },
  'AWS::EC2::VPCPeeringConnection': (peering, template) => compliantIf(isOfTheProxy(peering, template)),
  'AWS::EC2::Subnet': (subnet) => compliantIf(properties(subnet)['MapPublicIpOnLaunch'] !== true),
  'AWS::EC2::VPC': (vpc, template) =>
    compliantIf(isOf('EGRESS_SUBNETS', idOf(vpc, template), template) || resolvesNamedHostsOnly(vpc, template)),
  'AWS::Route53Resolver::FirewallRuleGroup': (group, template) =>
    compliantIf(list(properties(group)['FirewallRules']).every((rule) => isClosed(rule, template))),
  'AWS::Route53Resolver::FirewallConfig': (config) =>
    compliantIf(properties(config)['FirewallFailOpen'] === 'DISABLED'),
};

const ALL = '*';

/** A VPC has one group of rules, whose last rule blocks every name, and gives no answer when a query cannot be judged. */
function resolvesNamedHostsOnly(vpc: Resource, template: Template): boolean {
  const isHere = (resource: Resource, property: string): boolean =>
    template.Resources[target(properties(resource)[property]) ?? ''] === vpc;
  const associations = resourcesOf(template, 'AWS::Route53Resolver::FirewallRuleGroupAssociation').filter((resource) =>
    isHere(resource, 'VpcId'),
  );
  const [group, ...others] = associations.map((resource) => properties(resource)['FirewallRuleGroupId']);
  const rules = list(properties(template.Resources[target(group) ?? ''] ?? { Type: '' })['FirewallRules']).filter(
    isObject,
  );
  const last = rules.toSorted((a, b) => Number(a['Priority']) - Number(b['Priority'])).at(-1);
  const names = rules.filter((rule) => rule !== last).flatMap((rule) => domainsOf(rule, template));
  const failsClosed = resourcesOf(template, 'AWS::Route53Resolver::FirewallConfig').some((resource) =>
    isHere(resource, 'ResourceId'),
  );
  return (
    others.length === 0 &&
    failsClosed &&
    last?.['Action'] === 'BLOCK' &&
    last['Qtype'] === undefined &&
    domainsOf(last, template).includes(ALL) &&
    (isPublic(idOf(vpc, template), template) || (names.length > 0 && names.every(isOfAws)))
  );
}

/** A rule that lets names pass lists them. */
function isClosed(rule: unknown, template: Template): boolean {
  if (!isObject(rule)) return false;
  const domains = domainsOf(rule, template);
  return rule['Action'] === 'BLOCK' || (domains.length > 0 && !domains.includes(ALL));
}

function domainsOf(rule: Properties, template: Template): readonly unknown[] {
  const domains = template.Resources[target(rule['FirewallDomainListId']) ?? ''];
  return domains === undefined ? [] : list(properties(domains)['Domains']);
}

/** Such a name ends in the domain of AWS, so no query for it reaches a server of others. */
function isOfAws(name: unknown): boolean {
  const parts = isObject(name) ? list(list(name['Fn::Join'])[1]) : [];
  return isObject(parts.at(-1)) && target(parts.at(-1)) === 'AWS::URLSuffix' && String(parts.at(-2)).endsWith('.');
}

/** A route to the whole of the proxy's VPC, and to nothing else, through a peering with it. */
function leadsToTheProxy(route: Resource, vpc: string | undefined, template: Template): boolean {
  const { RouteTableId: _, DestinationCidrBlock, VpcPeeringConnectionId, ...others } = properties(route);
  const peering = template.Resources[target(VpcPeeringConnectionId) ?? ''];
  if (peering === undefined || Object.keys(others).length > 0 || !isOfTheProxy(peering, template)) return false;
  const { PeerVpcId, VpcId } = properties(peering);
  const proxys = template.Resources[target(PeerVpcId) ?? ''];
  return target(VpcId) === vpc && DestinationCidrBlock === (proxys && properties(proxys)['CidrBlock']);
}

/** Whether a peering is one between the sandboxes' VPC and that of the egress proxy. */
function isOfTheProxy(peering: Resource, template: Template): boolean {
  const { VpcId, PeerVpcId, PeerOwnerId, PeerRegion } = properties(peering);
  return (
    PeerOwnerId === undefined &&
    PeerRegion === undefined &&
    isOf('SANDBOX_SUBNETS', target(VpcId), template) &&
    isOf('EGRESS_SUBNETS', target(PeerVpcId), template) &&
    isPublic(target(PeerVpcId), template)
  );
}

function idOf(resource: Resource, template: Template): string | undefined {
  return Object.keys(template.Resources).find((one) => template.Resources[one] === resource);
}

function resourcesOf(template: Template, type: string): readonly Resource[] {
  return Object.values(template.Resources).filter(({ Type }) => Type === type);
}

/** Whether a VPC is that of the egress proxy or of builds, and neither a sandbox nor a function is in it. */
function isPublic(vpc: string | undefined, template: Template): boolean {
  const confined = [
    ...vpcsOf(settingOf(template, 'provision', 'SANDBOX_SUBNETS'), template),
    ...Object.values(template.Resources).flatMap(vpcsOfFunction),
  ];
  return (
    confined.length > 0 &&
    !confined.includes(vpc) &&
    !confined.includes(undefined) &&
    (isOf('EGRESS_SUBNETS', vpc, template) || isOf('PACKAGES_SUBNETS', vpc, template))
  );

  function vpcsOfFunction(resource: Resource) {
    const network = resource.Type === 'AWS::Lambda::Function' ? properties(resource)['VpcConfig'] : undefined;
    return isObject(network) ? vpcsOf(list(network['SubnetIds']), template) : [];
  }
}

/** Whether a VPC has subnets that a setting of `provision` names. */
function isOf(setting: string, vpc: string | undefined, template: Template): boolean {
  return vpc !== undefined && vpcsOf(settingOf(template, 'provision', setting), template).includes(vpc);
}

function vpcsOf(subnets: unknown, template: Template): readonly (string | undefined)[] {
  return mentions(subnets).map((id) => {
    const subnet = template.Resources[id];
    return subnet && vpcOf(subnet);
  });
}

function vpcOf(resource: Resource): string | undefined {
  return target(properties(resource)['VpcId']);
}

import { compliantIf, type Rule, type Verdict } from './rule.ts';
import { isObject, list, mentions, properties, type Resource, settingOf, target, type Template } from './template.ts';

/** Resources that carry traffic out of a VPC, and that no VPC of the stack may have. */
const NEVER = [
  'AWS::EC2::EgressOnlyInternetGateway',
  'AWS::EC2::NatGateway',
  'AWS::EC2::TransitGatewayAttachment',
  'AWS::EC2::VPCPeeringConnection',
];

export const nothingLeavesTheVpc: Rule = {
  id: 'nothing-leaves-the-vpc',
  reason:
    'A sandbox may send to any address on port 443, so no route may lead out of its VPC. Only builds of packages have a way out, in another VPC.',
  judge(resource, template) {
    if (NEVER.includes(resource.Type)) return 'not-compliant';
    return JUDGES[resource.Type]?.(resource, template) ?? 'not-applicable';
  },
};

const JUDGES: Readonly<Record<string, Rule['judge']>> = {
  // A gateway carries no traffic until it is attached.
  'AWS::EC2::VPCGatewayAttachment': (attachment, template) => onlyForBuilds(vpcOf(attachment), template),
  'AWS::EC2::Route': (route, template) => {
    const table = template.Resources[target(properties(route)['RouteTableId']) ?? ''];
    return onlyForBuilds(table && vpcOf(table), template);
  },
  'AWS::EC2::Subnet': (subnet) => compliantIf(properties(subnet)['MapPublicIpOnLaunch'] !== true),
};

/** Compliant for the VPC of builds, if neither a sandbox nor a function is in it. */
function onlyForBuilds(vpc: string | undefined, template: Template): Verdict {
  const ofSetting = (name: string) => vpcsOf(settingOf(template, 'provision', name), template);
  const confined = [...ofSetting('SANDBOX_SUBNETS'), ...Object.values(template.Resources).flatMap(vpcsOfFunction)];
  return compliantIf(
    vpc !== undefined &&
      confined.length > 0 &&
      !confined.includes(vpc) &&
      !confined.includes(undefined) &&
      ofSetting('PACKAGES_SUBNETS').includes(vpc),
  );

  function vpcsOfFunction(resource: Resource) {
    const network = resource.Type === 'AWS::Lambda::Function' ? properties(resource)['VpcConfig'] : undefined;
    return isObject(network) ? vpcsOf(list(network['SubnetIds']), template) : [];
  }
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

import { Fn, Validations } from 'aws-cdk-lib';
import {
  CfnInternetGateway,
  CfnRoute,
  CfnRouteTable,
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
  CfnVPCGatewayAttachment,
} from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';

/** The egress proxy's VPC is peered with the isolated one, so the two may not overlap. */
export const PUBLIC_CIDR = '10.1.0.0/16';
const SUBNETS = ['10.1.0.0/20', '10.1.16.0/20'];

interface PublicVpc {
  readonly vpcId: string;
  readonly routeTableId: string;
  readonly subnetIds: readonly string[];
}

/**
 * A VPC with an internet gateway and no NAT, for tasks that have public addresses: two subnets with one route table.
 * `whyNoFlowLogs` is the reason that cdk-nag is given.
 */
export function publicVpc(scope: Construct, { whyNoFlowLogs: reason }: { readonly whyNoFlowLogs: string }): PublicVpc {
  const vpc = new CfnVPC(scope, 'Vpc', { cidrBlock: PUBLIC_CIDR, enableDnsSupport: true, enableDnsHostnames: true });
  Validations.of(vpc).acknowledge({ id: 'AwsSolutions-VPC7', reason });
  const vpcId = vpc.attrVpcId;
  const { attrInternetGatewayId: internetGatewayId } = new CfnInternetGateway(scope, 'Gateway');
  const attachment = new CfnVPCGatewayAttachment(scope, 'Attachment', { vpcId, internetGatewayId });
  const { attrRouteTableId: routeTableId } = new CfnRouteTable(scope, 'Routes', { vpcId });
  const out = { routeTableId, destinationCidrBlock: '0.0.0.0/0', gatewayId: internetGatewayId };
  new CfnRoute(scope, 'WayOut', out).addResourceDependency(attachment);
  const subnetIds = SUBNETS.map((cidrBlock, index) => {
    const availabilityZone = Fn.select(index, Fn.getAzs());
    const subnet = new CfnSubnet(scope, `Subnet${index + 1}`, { vpcId, cidrBlock, availabilityZone });
    const subnetId = subnet.attrSubnetId;
    new CfnSubnetRouteTableAssociation(scope, `RoutesOfSubnet${index + 1}`, { subnetId, routeTableId });
    return subnetId;
  });
  return { vpcId, routeTableId, subnetIds };
}

import { Fn, Validations } from 'aws-cdk-lib';
import { CfnRouteTable, CfnSubnet, CfnSubnetRouteTableAssociation, CfnVPC, type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';

export const CIDR = '10.0.0.0/16';
const SUBNETS = ['10.0.0.0/20', '10.0.16.0/20'];

/**
 * A VPC without any gateway, with one subnet in each of two zones. CDK's Vpc would look the zones up in the account as
 * soon as the stack names one. These are CloudFormation resources, so synthesis needs no account.
 */
export function isolatedVpc(scope: Construct): IVpc {
  const vpc = new CfnVPC(scope, 'Vpc', { cidrBlock: CIDR, enableDnsSupport: true, enableDnsHostnames: true });
  Validations.of(vpc).acknowledge({
    id: 'AwsSolutions-VPC7',
    reason: 'Nothing is routed out of the VPC, and the session log holds what execute sends to a sandbox.',
  });
  const vpcId = vpc.attrVpcId;
  const subnets = SUBNETS.map((cidrBlock, index) => {
    const availabilityZone = Fn.select(index, Fn.getAzs());
    const subnet = new CfnSubnet(scope, `Subnet${index + 1}`, { vpcId, cidrBlock, availabilityZone });
    const routes = new CfnRouteTable(scope, `Routes${index + 1}`, { vpcId });
    const subnetId = subnet.attrSubnetId;
    const routeTableId = routes.attrRouteTableId;
    new CfnSubnetRouteTableAssociation(scope, `RoutesOfSubnet${index + 1}`, { subnetId, routeTableId });
    return { availabilityZone, subnetId, routeTableId };
  });
  return Vpc.fromVpcAttributes(scope, 'Isolated', {
    vpcId,
    availabilityZones: subnets.map(({ availabilityZone }) => availabilityZone),
    isolatedSubnetIds: subnets.map(({ subnetId }) => subnetId),
    isolatedSubnetRouteTableIds: subnets.map(({ routeTableId }) => routeTableId),
  });
}

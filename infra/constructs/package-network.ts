import { Fn, Validations } from 'aws-cdk-lib';
import {
  CfnInternetGateway,
  CfnRoute,
  CfnRouteTable,
  CfnSecurityGroup,
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
  CfnVPCGatewayAttachment,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';

const CIDR = '10.1.0.0/16';
const SUBNETS = ['10.1.0.0/20', '10.1.16.0/20'];
/** Mirrors of Debian are read over plain HTTP too: what comes from them is signed. */
const PORTS = [80, 443];

/**
 * The network in which packages are installed: a VPC of its own with an internet gateway and no NAT. It shares nothing
 * with the sandboxes' VPC, not even a route table that could one day get a route too many.
 */
export class PackageNetwork extends Construct {
  readonly subnetIds: readonly string[];
  readonly groupId: string;

  /** @param ports on which the customer's own sources listen, besides the usual ones */
  constructor(scope: Construct, id: string, props: { readonly ports: readonly number[] }) {
    super(scope, id);
    const vpc = new CfnVPC(this, 'Vpc', { cidrBlock: CIDR, enableDnsSupport: true, enableDnsHostnames: true });
    Validations.of(vpc).acknowledge({
      id: 'AwsSolutions-VPC7',
      reason: 'Only downloads by tasks that hold nothing; what was installed is in the order of each build.',
    });
    const vpcId = vpc.attrVpcId;
    const gateway = new CfnInternetGateway(this, 'Gateway');
    const internetGatewayId = gateway.attrInternetGatewayId;
    const attachment = new CfnVPCGatewayAttachment(this, 'Attachment', { vpcId, internetGatewayId });
    const routes = new CfnRouteTable(this, 'Routes', { vpcId });
    const routeTableId = routes.attrRouteTableId;
    const out = { routeTableId, destinationCidrBlock: '0.0.0.0/0', gatewayId: internetGatewayId };
    new CfnRoute(this, 'WayOut', out).addResourceDependency(attachment);
    this.subnetIds = SUBNETS.map((cidrBlock, index) => {
      const availabilityZone = Fn.select(index, Fn.getAzs());
      const { attrSubnetId: subnetId } = new CfnSubnet(this, `Subnet${index + 1}`, {
        vpcId,
        cidrBlock,
        availabilityZone,
      });
      new CfnSubnetRouteTableAssociation(this, `RoutesOfSubnet${index + 1}`, { subnetId, routeTableId });
      return subnetId;
    });
    const ports = [...new Set([...PORTS, ...props.ports])].toSorted((a, b) => a - b);
    this.groupId = new CfnSecurityGroup(this, 'Group', {
      vpcId,
      groupDescription: 'Builds of packages: called by nobody, out to the sources of packages',
      securityGroupEgress: ports.map((port) => ({
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        cidrIp: '0.0.0.0/0',
      })),
    }).attrGroupId;
  }
}

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
import { awsName, DnsFirewall, FARGATE_NAMES } from './dns-firewall.ts';

const CIDR = '10.1.0.0/16';
const SUBNETS = ['10.1.0.0/20', '10.1.16.0/20'];
/** apt reads mirrors of Debian over plain HTTP too, and checks signatures. */
const PORTS = [80, 443];

interface PackageNetworkProps {
  /** Ports of the customer's own sources, besides the usual ones. */
  readonly ports: readonly number[];
  /** The hosts that packages come from. */
  readonly hosts: readonly string[];
  /** The bucket of orders and archives. */
  readonly bucketName: string;
}

/**
 * The network of package builds: a VPC with an internet gateway and no NAT. It shares nothing with the sandboxes' VPC,
 * so a route here never leads out of that one.
 */
export class PackageNetwork extends Construct {
  readonly subnetIds: readonly string[];
  readonly groupId: string;

  constructor(scope: Construct, id: string, props: PackageNetworkProps) {
    super(scope, id);
    const vpc = new CfnVPC(this, 'Vpc', { cidrBlock: CIDR, enableDnsSupport: true, enableDnsHostnames: true });
    Validations.of(vpc).acknowledge({
      id: 'AwsSolutions-VPC7',
      reason: 'The tasks hold no secret and only download; the order of each build says what they installed.',
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
    const names = [...FARGATE_NAMES, awsName(`${props.bucketName}.s3`), ...props.hosts];
    new DnsFirewall(this, 'Dns', { vpcId, names });
    const ports = [...new Set([...PORTS, ...props.ports])].toSorted((a, b) => a - b);
    this.groupId = new CfnSecurityGroup(this, 'Group', {
      vpcId,
      groupDescription: 'Builds of packages: no calls in, and out to the sources of packages',
      securityGroupEgress: ports.map((port) => ({
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        cidrIp: '0.0.0.0/0',
      })),
    }).attrGroupId;
  }
}

import { CfnSecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { awsName, DnsFirewall, FARGATE_NAMES } from './dns-firewall.ts';
import { publicVpc } from './public-vpc.ts';

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
    const { vpcId, subnetIds } = publicVpc(this, {
      whyNoFlowLogs: 'The tasks hold no secret and only download; the order of each build says what they installed.',
    });
    this.subnetIds = subnetIds;
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

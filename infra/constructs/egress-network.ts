import { EGRESS_PORT } from '#contract/egress.ts';
import { CfnRoute, CfnSecurityGroup, CfnVPCPeeringConnection } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { CIDR } from './isolated-vpc.ts';
import { PUBLIC_CIDR, publicVpc } from './public-vpc.ts';
import type { SandboxNetwork } from './sandbox-network.ts';

/** Web servers, and any port that needs no root. No port of mail, of remote shells or of file shares is among them. */
const PORTS = [
  { fromPort: 80, toPort: 80 },
  { fromPort: 443, toPort: 443 },
  { fromPort: 1024, toPort: 65_535 },
];

/**
 * The network of the egress proxy: a VPC with an internet gateway and no NAT, peered with the sandboxes' VPC. A peering
 * leads to addresses of the other VPC and never on to its gateway, so a sandbox reaches the proxy and not the internet.
 * The resolver here has no firewall, because the proxy decides about a name before it asks for it.
 */
export class EgressNetwork extends Construct {
  readonly subnetIds: readonly string[];
  readonly groupId: string;

  constructor(scope: Construct, id: string, { sandboxes }: { readonly sandboxes: SandboxNetwork }) {
    super(scope, id);
    const { vpcId, routeTableId, subnetIds } = publicVpc(this, {
      whyNoFlowLogs: 'The proxy writes host, verdict and bytes of each connection to its log and to the audit trail.',
    });
    this.subnetIds = subnetIds;
    const peering = this.#peering(vpcId, routeTableId, sandboxes);
    const group = new CfnSecurityGroup(this, 'Group', {
      vpcId,
      groupDescription: 'The egress proxy: called by sandboxes, and out to the internet',
      securityGroupIngress: [
        {
          ipProtocol: 'tcp',
          fromPort: EGRESS_PORT,
          toPort: EGRESS_PORT,
          sourceSecurityGroupId: sandboxes.sandboxGroup.securityGroupId,
        },
      ],
      // No security group holds back queries to the resolver of its VPC.
      securityGroupEgress: PORTS.map((ports) => ({ ipProtocol: 'tcp', ...ports, cidrIp: '0.0.0.0/0' })),
    });
    // A rule can name a group of another VPC while the two are peered.
    group.addResourceDependency(peering);
    this.groupId = group.attrGroupId;
  }

  #peering(vpcId: string, routeTableId: string, { vpc }: SandboxNetwork): CfnVPCPeeringConnection {
    const peering = new CfnVPCPeeringConnection(this, 'Peering', { vpcId: vpc.vpcId, peerVpcId: vpcId });
    const vpcPeeringConnectionId = peering.attrId;
    vpc.isolatedSubnets.forEach(({ routeTable }, index) => {
      new CfnRoute(this, `FromSandboxes${index + 1}`, {
        routeTableId: routeTable.routeTableId,
        destinationCidrBlock: PUBLIC_CIDR,
        vpcPeeringConnectionId,
      });
    });
    new CfnRoute(this, 'ToSandboxes', { routeTableId, destinationCidrBlock: CIDR, vpcPeeringConnectionId });
    return peering;
  }
}

import { compliantIf, type Rule } from './rule.ts';
import { properties } from './template.ts';

/** What can carry a packet out of a VPC, except an endpoint. */
const WAYS_OUT = [
  'AWS::EC2::InternetGateway',
  'AWS::EC2::EgressOnlyInternetGateway',
  'AWS::EC2::NatGateway',
  'AWS::EC2::Route',
  'AWS::EC2::TransitGatewayAttachment',
  'AWS::EC2::VPCGatewayAttachment',
  'AWS::EC2::VPCPeeringConnection',
];

export const nothingLeavesTheVpc: Rule = {
  id: 'nothing-leaves-the-vpc',
  reason: 'A sandbox may send to any address on port 443; that nothing is routed out is what keeps it inside.',
  judge(resource) {
    if (WAYS_OUT.includes(resource.Type)) return 'not-compliant';
    if (resource.Type !== 'AWS::EC2::Subnet') return 'not-applicable';
    return compliantIf(properties(resource)['MapPublicIpOnLaunch'] !== true);
  },
};

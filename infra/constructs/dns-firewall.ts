import { Aws } from 'aws-cdk-lib';
import {
  CfnFirewallConfig,
  CfnFirewallDomainList,
  CfnFirewallRuleGroup,
  CfnFirewallRuleGroupAssociation,
} from 'aws-cdk-lib/aws-route53resolver';
import { Construct } from 'constructs';

/** A name of an AWS service in the stack's Region. */
export function awsName(service: string): string {
  return `${service}.${Aws.REGION}.${Aws.URL_SUFFIX}`;
}

/** Without these names Fargate pulls no image and writes no log. ECR keeps the layers of images in a bucket of AWS. */
export const FARGATE_NAMES: readonly string[] = [
  awsName('api.ecr'),
  awsName('*.dkr.ecr'),
  awsName(`prod-${Aws.REGION}-starport-layer-bucket.s3`),
  awsName('logs'),
];

interface DnsFirewallProps {
  readonly vpcId: string;
  /** Host names; `*.` is any beginning of a name. */
  readonly names: readonly string[];
}

/**
 * The resolver of a VPC answers every program in it, also where no route leads out, and asks the name servers of the
 * name that was asked for. So a host name carries data to the owner of a domain. This firewall lets the resolver answer
 * for the given names only. A query that cannot be judged gets no answer.
 */
export class DnsFirewall extends Construct {
  constructor(scope: Construct, id: string, { vpcId, names }: DnsFirewallProps) {
    super(scope, id);
    const allowed = new CfnFirewallDomainList(this, 'Allowed', { domains: [...names] });
    const all = new CfnFirewallDomainList(this, 'All', { domains: ['*'] });
    const group = new CfnFirewallRuleGroup(this, 'Rules', {
      firewallRules: [
        {
          priority: 1,
          action: 'ALLOW',
          firewallDomainListId: allowed.attrId,
          // S3 and the registries of packages answer with aliases, which their owners change.
          firewallDomainRedirectionAction: 'TRUST_REDIRECTION_DOMAIN',
        },
        { priority: 2, action: 'BLOCK', blockResponse: 'NXDOMAIN', firewallDomainListId: all.attrId },
      ],
    });
    new CfnFirewallRuleGroupAssociation(this, 'OfVpc', { vpcId, firewallRuleGroupId: group.attrId, priority: 101 });
    const config = new CfnFirewallConfig(this, 'FailClosed', { resourceId: vpcId, firewallFailOpen: 'DISABLED' });
    // CloudFormation has this type, and cfn-lint 1.58 does not know it.
    config.addMetadata('cfn-lint', { config: { ignore_checks: ['E3006'] } });
  }
}

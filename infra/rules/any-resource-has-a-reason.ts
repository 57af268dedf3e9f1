import { compliantIf, type Rule } from './rule.ts';
import { allowed } from './template.ts';

/** Actions for which IAM knows no resource, or that make their resource. */
const WITHOUT_RESOURCE = [
  // Lambda, Step Functions and API Gateway send traces.
  'xray:GetSamplingRules',
  'xray:GetSamplingTargets',
  'xray:PutTelemetryRecords',
  'xray:PutTraceSegments',
  // Lambda makes the network interfaces of a function in a VPC.
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
  // Step Functions delivers its log.
  'logs:CreateLogDelivery',
  'logs:DeleteLogDelivery',
  'logs:DescribeLogGroups',
  'logs:DescribeResourcePolicies',
  'logs:GetLogDelivery',
  'logs:ListLogDeliveries',
  'logs:PutResourcePolicy',
  'logs:UpdateLogDelivery',
  // The sweep lists the tasks of one cluster, which a condition names.
  'ecs:ListTasks',
  // Fargate logs in to the registry.
  'ecr:GetAuthorizationToken',
];

export const anyResourceHasAReason: Rule = {
  id: 'any-resource-has-a-reason',
  reason: 'A right on every resource is a right on resources of other stacks in the account.',
  judge(resource) {
    if (resource.Type === 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const onAny = allowed(resource).filter(({ Resource }) => Resource.includes('*'));
    if (onAny.length === 0) return 'not-applicable';
    return compliantIf(onAny.flatMap(({ Action }) => Action).every((action) => WITHOUT_RESOURCE.includes(action)));
  },
};

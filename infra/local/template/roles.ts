import * as z from 'zod';
import type { RolePart, Statement } from './parts.ts';
import type { Stack } from './stack.ts';

const strings = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));
const optionalStrings = strings.optional().transform((value) => value ?? []);
const values = z
  .union([z.string(), z.boolean(), z.number(), z.array(z.union([z.string(), z.boolean(), z.number()]))])
  .transform((value) => (Array.isArray(value) ? value : [value]).map(String));

const RawStatement = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Action: optionalStrings,
  NotAction: optionalStrings,
  Resource: optionalStrings,
  NotResource: optionalStrings,
  Condition: z.record(z.string(), z.record(z.string(), values)).default({}),
});

const PolicyDocument = z.object({
  Statement: z
    .union([RawStatement, z.array(RawStatement)])
    .transform((value) => (Array.isArray(value) ? value : [value])),
});

const Role = z.object({
  Policies: z.array(z.object({ PolicyDocument })).default([]),
  ManagedPolicyArns: z.array(z.string()).default([]),
});

const Policy = z.object({ PolicyDocument, Roles: z.array(z.string()).default([]) });

/**
 * What AWS's own managed policies contribute. Functions have them for writing logs; whatever else such a policy
 * would allow is not granted here, so that a function cannot come to depend on it.
 */
const LOGGING_POLICIES = /\/service-role\/AWSLambda(BasicExecutionRole|VPCAccessExecutionRole)$/;
const LOGGING: Statement = {
  effect: 'Allow',
  actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
  notActions: [],
  resources: ['*'],
  notResources: [],
  conditions: {},
};

export function roleParts(stack: Stack): readonly RolePart[] {
  const policies = stack.of(Policy, 'AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy');
  const managed = new Map(policies.map(({ ref, properties }) => [ref, statements(properties.PolicyDocument)]));
  return stack.of(Role, 'AWS::IAM::Role').map(({ name, arn, properties: { Policies, ManagedPolicyArns } }) => {
    const attached = policies.filter(({ properties }) => properties.Roles.includes(name));
    return {
      arn,
      name,
      statements: [
        ...Policies.flatMap(({ PolicyDocument: document }) => statements(document)),
        ...ManagedPolicyArns.flatMap((policy) =>
          LOGGING_POLICIES.test(policy) ? [LOGGING] : (managed.get(policy) ?? []),
        ),
        ...attached.flatMap(({ properties }) => statements(properties.PolicyDocument)),
      ],
    };
  });
}

function statements(document: z.infer<typeof PolicyDocument>): readonly Statement[] {
  return document.Statement.map((raw) => ({
    effect: raw.Effect,
    actions: raw.Action,
    notActions: raw.NotAction,
    resources: raw.Resource,
    notResources: raw.NotResource,
    conditions: raw.Condition,
  }));
}

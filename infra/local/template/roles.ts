import * as z from 'zod';
import type { RolePart, Statement } from './parts.ts';
import { arnOf } from './functions.ts';
import type { Resource, Stack } from './stack.ts';

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

const RoleProperties = z.object({
  Policies: z.array(z.object({ PolicyDocument })).default([]),
  ManagedPolicyArns: z.array(z.string()).default([]),
});

const PolicyProperties = z.object({ PolicyDocument, Roles: z.array(z.string()).default([]) });

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
  const attached = attachedStatements(stack);
  return stack.of('AWS::IAM::Role').map((resource) => {
    const properties = stack.read(resource, RoleProperties);
    const { name, attributes } = stack.identity(resource);
    const inline = properties.Policies.flatMap(({ PolicyDocument: document }) => statements(document));
    const managed = properties.ManagedPolicyArns.flatMap((policy) => {
      return LOGGING_POLICIES.test(policy) ? [LOGGING] : (attached.byPolicy.get(policy) ?? []);
    });
    return { arn: arnOf(attributes), name, statements: [...inline, ...managed, ...(attached.byRole.get(name) ?? [])] };
  });
}

/** Statements of separate policy resources: by the role they name, and by their own ARN where a role names them. */
function attachedStatements(stack: Stack): {
  readonly byRole: ReadonlyMap<string, readonly Statement[]>;
  readonly byPolicy: ReadonlyMap<string, readonly Statement[]>;
} {
  const byRole = new Map<string, Statement[]>();
  const byPolicy = new Map<string, readonly Statement[]>();
  for (const resource of stack.of('AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy')) {
    const { PolicyDocument: document, Roles } = stack.read(resource, PolicyProperties);
    const own = statements(document);
    if (isManaged(resource)) byPolicy.set(stack.identity(resource).ref, own);
    for (const role of Roles) byRole.set(role, [...(byRole.get(role) ?? []), ...own]);
  }
  return { byRole, byPolicy };
}

function isManaged(resource: Resource): boolean {
  return resource.type === 'AWS::IAM::ManagedPolicy';
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

import { existsSync } from 'node:fs';
import * as z from 'zod';
import type { CustomResourcePart, FunctionPart } from './parts.ts';
import type { Resource, Stack } from './stack.ts';

const FunctionProperties = z.object({
  Code: z.object({ S3Key: z.string('only code from an asset can run here (Code.S3Key)') }),
  Handler: z.string(),
  Role: z.string(),
  Timeout: z.coerce.number().default(3),
  MemorySize: z.coerce.number().default(128),
  Environment: z.object({ Variables: z.record(z.string(), z.coerce.string()).default({}) }).default({ Variables: {} }),
});

export function functionParts(stack: Stack): readonly FunctionPart[] {
  return stack.of('AWS::Lambda::Function').map((resource) => functionPart(stack, resource));
}

function functionPart(stack: Stack, resource: Resource): FunctionPart {
  const properties = stack.read(resource, FunctionProperties);
  const identity = stack.identity(resource);
  const codeDir = stack.assembly.fileAsset(properties.Code.S3Key);
  if (codeDir === null || !existsSync(codeDir)) {
    throw new Error(`${resource.logicalId}: the code asset ${properties.Code.S3Key} is not in the synthesized folder`);
  }
  return {
    logicalId: resource.logicalId,
    name: identity.name,
    arn: arnOf(identity.attributes),
    handler: properties.Handler,
    codeDir,
    timeoutMs: properties.Timeout * 1000,
    memoryMb: properties.MemorySize,
    environment: properties.Environment.Variables,
    roleArn: properties.Role,
  };
}

/**
 * Custom resources that CDK adds for itself. They tidy up services which nobody plays here (VPC defaults, log groups) or
 * act only when a stack is deleted, so there is nothing for them to do.
 */
const CDK_OWN = /^Custom::(AWS|S3AutoDeleteObjects|VpcRestrictDefaultSG|LogRetention|CDK.*|Aws.*)$/;

export function customResourceParts(stack: Stack): readonly CustomResourcePart[] {
  return stack
    .all()
    .filter(({ type }) => type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource')
    .filter(({ type }) => !CDK_OWN.test(type))
    .map((resource) => {
      const { ServiceToken, ...rest } = resource.properties;
      return {
        logicalId: resource.logicalId,
        type: resource.type,
        functionArn: String(stack.resolve(ServiceToken, resource.logicalId)),
        properties: Object(stack.resolve(rest, resource.logicalId)),
      };
    });
}

export function arnOf(attributes: Readonly<Record<string, string>>): string {
  const { Arn } = attributes;
  if (Arn === undefined) throw new Error('a resource without an ARN attribute was asked for its ARN');
  return Arn;
}

import { existsSync } from 'node:fs';
import * as z from 'zod';
import { MAX_SETTINGS_BYTES, settingsBytes } from '../../constructs/settings-limit.ts';
import type { CustomResourcePart, FunctionPart } from './parts.ts';
import type { Stack } from './stack.ts';

const LambdaFunction = z.object({
  Code: z.object({ S3Key: z.string('only code from an asset can run here (Code.S3Key)') }),
  Handler: z.string(),
  Role: z.string(),
  Timeout: z.coerce.number().default(3),
  MemorySize: z.coerce.number().default(128),
  ReservedConcurrentExecutions: z.coerce.number().nullable().default(null),
  Environment: z.object({ Variables: z.record(z.string(), z.coerce.string()).default({}) }).default({ Variables: {} }),
});

export function functionParts(stack: Stack): readonly FunctionPart[] {
  return stack.of(LambdaFunction, 'AWS::Lambda::Function').map(({ logicalId, name, arn, properties }) => {
    const { S3Key } = properties.Code;
    const codeDir = stack.assembly.fileAsset(S3Key);
    if (codeDir === null || !existsSync(codeDir)) {
      throw new Error(`${logicalId}: the code asset ${S3Key} is not in the synthesized folder`);
    }
    const { Variables: environment } = properties.Environment;
    const bytes = settingsBytes(environment);
    if (bytes > MAX_SETTINGS_BYTES) {
      throw new Error(
        `${logicalId}: Lambda refuses environment variables of more than ${MAX_SETTINGS_BYTES} bytes: they have ${bytes}`,
      );
    }
    return {
      logicalId,
      name,
      arn,
      handler: properties.Handler,
      codeDir,
      timeoutMs: properties.Timeout * 1000,
      memoryMb: properties.MemorySize,
      reserved: properties.ReservedConcurrentExecutions,
      environment,
      roleArn: properties.Role,
    };
  });
}

/**
 * Custom resources with nothing to do here: those that CDK adds for itself tidy up services that are not played (VPC defaults,
 * log groups), and others act only when a stack is deleted.
 */
const IDLE = /^Custom::(EndSandboxes|AWS|S3AutoDeleteObjects|VpcRestrictDefaultSG|LogRetention|CDK.*|Aws.*)$/;

export function customResourceParts(stack: Stack): readonly CustomResourcePart[] {
  return stack
    .all()
    .filter(({ type }) => type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource')
    .filter(({ type }) => !IDLE.test(type))
    .map(({ logicalId, type, properties }) => {
      const { ServiceToken, ...rest } = Object(stack.resolve(properties, logicalId));
      return { logicalId, type, functionArn: String(ServiceToken), properties: rest };
    });
}

import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Acknowledges that a role may use every resource of a pattern. AwsSolutions names the finding by the pattern as the
 * template writes it: with references where the Region is unknown, in full where it is known.
 */
export function acknowledgePattern(role: IConstruct, pattern: string, reason: string): void {
  Validations.of(role).acknowledge({ id: `AwsSolutions-IAM5[Resource::${asFinding(role, pattern)}]`, reason });
}

export function acknowledgeManagedPolicy(scope: IConstruct, policyArn: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM4[Policy::${asFinding(scope, policyArn)}]`, reason });
}

function asFinding(scope: IConstruct, text: string): string {
  const resolved: unknown = Stack.of(scope).resolve(text);
  return flattened(resolved);
}

/** `Fn::Join` as its text, `Ref` as `<Id>`, `Fn::GetAtt` as `<Id.Attribute>`. */
function flattened(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value as Readonly<Record<string, unknown>>;
  if (typeof Ref === 'string') return `<${Ref}>`;
  if (Array.isArray(attribute)) return `<${attribute.join('.')}>`;
  if (Array.isArray(join) && Array.isArray(join[1])) return join[1].map(flattened).join(join[0]);
  throw new Error('A pattern may only be made of text, Ref, Fn::GetAtt and Fn::Join');
}

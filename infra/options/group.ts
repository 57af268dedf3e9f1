import { Token } from 'aws-cdk-lib';
import * as z from 'zod';

/** An object of options. A name that it does not have is refused with the names that it has. */
export function group<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const rule = `is not one of ${Object.keys(shape).join(', ')}`;
  return z.strictObject(shape, { error: ({ code }) => (code === 'unrecognized_keys' ? rule : undefined) });
}

/** A text of one form, or a CDK token: a text that is known at the deployment, such as the ARN of a new secret. */
export function textOf(form: RegExp, rule: string) {
  return z.string().refine((text) => Token.isUnresolved(text) || form.test(text), rule);
}

/** IAM judges a right for a secret by its whole ARN, which ends with six characters that Secrets Manager chose. */
export const SecretArn = textOf(
  /^arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:.+-\w{6}$/,
  'must be the whole ARN of a secret, with the six characters at its end',
);

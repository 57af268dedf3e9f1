import { ArnFormat, Names, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/**
 * The beginning of the ARNs of a construct's secrets, which functions make below it. Functions address secrets by ARN,
 * because IAM cannot match the bare name of a secret that does not exist with a right for a prefix.
 */
export function secretsPrefix(scope: Construct): string {
  return Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: 'secret',
    resourceName: Names.uniqueResourceName(scope, { separator: '-', maxLength: 128 }),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

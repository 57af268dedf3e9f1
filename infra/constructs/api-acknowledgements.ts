import { Validations } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { acknowledgeManagedPolicy } from './finding.ts';

/** Where the API departs from the AwsSolutions rules, and why. */
export function acknowledgeApi(api: RestApi): void {
  Validations.of(api).acknowledge(
    {
      id: 'AwsSolutions-APIG2',
      reason: 'Every body is parsed by the contract’s strict schemas, which say which field breaks which rule.',
    },
    {
      id: 'AwsSolutions-APIG3',
      reason: 'A web ACL is the customer’s choice and price; requests are throttled and need a key without one.',
    },
    {
      id: 'AwsSolutions-APIG4',
      reason: 'The SDK sends API keys as Authorization: Bearer or x-api-key; both functions check them against hashes.',
    },
    {
      id: 'AwsSolutions-COG4',
      reason: 'The SDK sends API keys, not Cognito tokens.',
    },
    {
      id: 'AwsSolutions-APIG6',
      reason:
        'Execution logs hold bodies and headers, that is content and keys. Each request has one line in its function’s log.',
    },
  );
  acknowledgeManagedPolicy(
    api,
    ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonAPIGatewayPushToCloudWatchLogs').managedPolicyArn,
    'The role is the account’s, for all of its APIs; this is the policy API Gateway asks for.',
  );
}

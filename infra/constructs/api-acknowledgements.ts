import { Validations } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { acknowledgeManagedPolicy } from './finding.ts';

/** The AwsSolutions rules that the API does not follow, each with the reason. */
export function acknowledgeApi(api: RestApi): void {
  Validations.of(api).acknowledge(
    {
      id: 'AwsSolutions-APIG2',
      reason:
        'The functions parse every body by the strict schemas of the contract, which name the field and the rule.',
    },
    {
      id: 'AwsSolutions-APIG3',
      reason: 'A web ACL costs money and is the customer’s choice; without one, requests are throttled and need a key.',
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
        'Execution logs hold bodies and headers, that is content and keys. The functions log one line for each request.',
    },
  );
  acknowledgeManagedPolicy(
    api,
    ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonAPIGatewayPushToCloudWatchLogs').managedPolicyArn,
    'The role serves all APIs of the account; API Gateway requires this policy.',
  );
}

import { Aws, CfnOutput, CfnParameter, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Brainstem, type BrainstemProps } from './brainstem.ts';

/** The service as a stack: its parts are in brainstem.ts, in the order data passes them; here is what surrounds them. */
export class BrainstemStack extends Stack {
  readonly agents: Brainstem;

  constructor(scope: Construct, id: string, props: StackProps & Omit<BrainstemProps, 'modelBaseUrl'> = {}) {
    super(scope, id, props);
    const modelBaseUrl = new CfnParameter(this, 'ModelBaseUrl', {
      description: 'Base URL of the Messages API, or of a gateway in front of it',
      default: 'https://api.anthropic.com',
      allowedPattern: '^https?://[^\\s]+$',
      constraintDescription: 'must be an http or https URL',
    });
    this.agents = new Brainstem(this, 'Agents', { ...props, modelBaseUrl: modelBaseUrl.valueAsString });
    this.#outputs();
  }

  #outputs(): void {
    const { api, firstKey, harness, log, observability } = this.agents;
    const firstKeyArn = firstKey.secret.secretArn;
    const modelKeyArn = harness.modelApiKey.secretArn;
    const inRegion = `--region ${Aws.REGION}`;
    const outputs = {
      BaseUrl: { value: api.baseUrl, description: 'baseURL of the SDK' },
      FirstApiKeySecretArn: { value: firstKeyArn, description: 'Secret that holds the first API key' },
      ReadFirstApiKey: {
        value: `aws secretsmanager get-secret-value ${inRegion} --secret-id ${firstKeyArn} --query SecretString --output text`,
        description: 'Prints the first API key',
      },
      ModelApiKeySecretArn: { value: modelKeyArn, description: 'Secret that holds the API key of the model' },
      SetModelApiKey: {
        value: `aws secretsmanager put-secret-value ${inRegion} --secret-id ${modelKeyArn} --secret-string "$ANTHROPIC_API_KEY"`,
        description: 'Sets the API key of the model',
      },
      LogTableName: { value: log.table.tableName, description: 'Table of the session logs' },
      DashboardUrl: { value: observability.dashboardUrl, description: 'CloudWatch dashboard' },
    };
    for (const [name, output] of Object.entries(outputs)) new CfnOutput(this, name, output);
  }
}

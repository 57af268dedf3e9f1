import { Aws, CfnOutput, CfnParameter, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Brainstem, type BrainstemProps } from './brainstem.ts';
import type { ClaudeApi } from './constructs/model.ts';

const IN_REGION = `--region ${Aws.REGION}`;

/** The service as a stack: its parts are in brainstem.ts, in the order data passes them; here is what surrounds them. */
export class BrainstemStack extends Stack {
  readonly agents: Brainstem;

  constructor(scope: Construct, id: string, props: StackProps & BrainstemProps = {}) {
    super(scope, id, props);
    const { model = { provider: 'anthropic' } } = props;
    this.agents = new Brainstem(this, 'Agents', {
      ...props,
      model: model.provider === 'anthropic' ? { ...model, baseUrl: this.#baseUrl(model) } : model,
    });
    this.#outputs();
  }

  /** Chosen at the deployment; the other providers have one endpoint per Region. */
  #baseUrl({ baseUrl = 'https://api.anthropic.com' }: ClaudeApi): string {
    const parameter = new CfnParameter(this, 'ModelBaseUrl', {
      description: 'Base URL of the Messages API, or of a gateway in front of it',
      default: baseUrl,
      allowedPattern: '^https?://[^\\s]+$',
      constraintDescription: 'must be an http or https URL',
    });
    return parameter.valueAsString;
  }

  #outputs(): void {
    const { api, firstKey, harness, log, observability } = this.agents;
    const firstKeyArn = firstKey.secret.secretArn;
    const { connect } = this.agents;
    const outputs = {
      BaseUrl: { value: api.baseUrl, description: 'baseURL of the SDK' },
      FirstApiKeySecretArn: { value: firstKeyArn, description: 'Secret that holds the first API key' },
      ReadFirstApiKey: {
        value: `aws secretsmanager get-secret-value ${IN_REGION} --secret-id ${firstKeyArn} --query SecretString --output text`,
        description: 'Prints the first API key',
      },
      ...(harness.modelApiKey === null ? {} : modelKeyOutputs(harness.modelApiKey.secretArn)),
      ...(connect === null ? {} : connectOutputs(connect.baseUrl)),
      LogTableName: { value: log.table.tableName, description: 'Table of the session logs' },
      DashboardUrl: { value: observability.dashboardUrl, description: 'CloudWatch dashboard' },
    };
    for (const [name, output] of Object.entries(outputs)) new CfnOutput(this, name, output);
  }
}

function connectOutputs(baseUrl: string) {
  return {
    ConnectLoginRedirectUrl: {
      value: `${baseUrl}/login/callback`,
      description: 'Redirect URL to register at the identity provider',
    },
    ConnectRedirectUrl: {
      value: `${baseUrl}/callback`,
      description: 'Redirect URL to register at authorization servers, where a client is registered by hand',
    },
  };
}

function modelKeyOutputs(secretArn: string) {
  return {
    ModelApiKeySecretArn: { value: secretArn, description: 'Secret that holds the API key of the model' },
    SetModelApiKey: {
      value: `aws secretsmanager put-secret-value ${IN_REGION} --secret-id ${secretArn} --secret-string "$ANTHROPIC_API_KEY"`,
      description: 'Sets the API key of the model',
    },
  };
}

import { Aws, CfnOutput, CfnParameter, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Brainstem, type BrainstemProps } from './brainstem.ts';
import { CLAUDE_API_URL } from './constructs/harness.ts';
import type { ClaudeApi } from './options/model-options.ts';

const IN_REGION = `--region ${Aws.REGION}`;

/** The service as a stack: the construct in brainstem.ts, a parameter for the address of the model, and the outputs. */
export class BrainstemStack extends Stack {
  readonly agents: Brainstem;

  constructor(scope: Construct, id: string, props: BrainstemProps = {}) {
    super(scope, id, { description: 'Brainstem: Managed Agents in your own account' });
    this.agents = new Brainstem(this, 'Agents', props);
    const { harness, options } = this.agents;
    // The other providers have one endpoint per Region.
    if (options.model.provider === 'anthropic') {
      harness.turn.receive({ MODEL_BASE_URL: this.#modelBaseUrl(options.model) });
    }
    this.#outputs();
  }

  /** The deployer may choose another address at the deployment. */
  #modelBaseUrl({ baseUrl = CLAUDE_API_URL }: ClaudeApi): string {
    const parameter = new CfnParameter(this, 'ModelBaseUrl', {
      description: 'Base URL of the Messages API, or of a gateway in front of it',
      default: baseUrl,
      allowedPattern: '^https?://[^\\s]+$',
      constraintDescription: 'must be an http or https URL',
    });
    return parameter.valueAsString;
  }

  #outputs(): void {
    const { api, auditTrail, firstKey, harness, log, observability } = this.agents;
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
      AuditKeyFingerprint: {
        value: `aws kms get-public-key ${IN_REGION} --key-id ${auditTrail.key.keyArn} --query PublicKey --output text | base64 -d | sha256sum`,
        description: 'Prints the SHA-256 of the key that signs audit heads',
      },
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

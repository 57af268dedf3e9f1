/**
 * Amazon Bedrock as the model port: requests signed with the function's own role, answers in AWS's event-stream framing.
 * The SDK's client is taken whole, resources that Bedrock does not serve included, because signature and framing are in
 * its middle.
 */
import { AnthropicBedrock } from '@anthropic-ai/bedrock-sdk/client';
import type { SilenceSeconds } from '#contract/models.ts';
import type { Model } from '#core/ports/model.ts';
import { createMessagesModel } from '#aws/model/messages-api.ts';
import type { RoleCredentials } from '#aws/settings.ts';

interface BedrockOptions {
  readonly baseUrl: string;
  readonly region: string;
  readonly credentials: RoleCredentials;
  readonly silence: SilenceSeconds;
}

/** The only one that InvokeModel knows for every model; the SDK's own default is refused for models before Opus 4.7. */
const API_VERSION = 'bedrock-2023-05-31';

export function createBedrockModel({ baseUrl, region, credentials, silence }: BedrockOptions): Model {
  return createMessagesModel({
    silence,
    connect: async (options) =>
      new AnthropicBedrock({
        ...options,
        baseURL: baseUrl,
        awsRegion: region,
        awsAccessKey: credentials.accessKeyId,
        awsSecretKey: credentials.secretAccessKey,
        awsSessionToken: credentials.sessionToken ?? null,
        // Null, so that no key from an environment variable takes the place of the role.
        apiKey: null,
        defaultHeaders: { 'anthropic-version': API_VERSION },
      }).messages,
    credentials: { name: 'the harness’s role', check: 'that the account has access to the model in this Region' },
  });
}
